/** Simulated fleets: what a routing policy is worth with so many nodes, seeded. */
export { simulate } from './fleet.ts';
export { LOCAL_FIRST } from './local-first.ts';
export { RANDOM_ONE_RETRY } from './policies.ts';
export { SCENARIOS } from './scenarios.ts';
