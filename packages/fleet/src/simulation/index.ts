/** Simulated fleets: what a routing policy is worth with so many nodes, seeded. */
export { simulate, type SimulationOptions, type SimulationResult } from './fleet.ts';
export { LOCAL_FIRST, OTHERS, RANDOM_ONE_RETRY, type RoutingPolicy } from './policies.ts';
export { SCENARIOS, type Scenario } from './scenarios.ts';
