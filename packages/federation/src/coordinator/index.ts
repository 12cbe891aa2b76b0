/** The coordinator; Node only. */
export {
  type Coordinator,
  type CoordinatorOptions,
  type FederationView,
  type InvitationOptions,
  type MemberView,
} from './coordinator.ts';
export type { FederationStore, MemberRecord, RunRecord } from '../store/federation-store.ts';
export { openCoordinator } from './open-coordinator.ts';
export type { SpentEpsilon } from '../plan/spent.ts';
export { openFederationStore } from '../store/open-store.ts';
export { completePlan } from '../plan/complete.ts';
