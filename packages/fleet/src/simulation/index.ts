/** Simulated fleets: what a routing policy is worth with so many nodes, seeded. */
export {
  type RoutingPolicy,
  simulate,
  type SimulationOptions,
  type SimulationResult,
} from './fleet.ts';
export { LOCAL_FIRST } from './local-first.ts';
export { OTHERS, RANDOM_ONE_RETRY } from './policies.ts';
export { SCENARIOS, type Scenario } from './scenarios.ts';
