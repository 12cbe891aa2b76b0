/** The coordinator; Node only. */
export { type Coordinator, type FederationView } from './coordinator.ts';
export { openCoordinator } from './open-coordinator.ts';
export { completePlan } from '../plan/complete.ts';
