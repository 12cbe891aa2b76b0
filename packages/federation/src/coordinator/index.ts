/** The coordinator; Node only. */
export {
  type Coordinator,
  type CoordinatorOptions,
  type FederationView,
  type InvitationOptions,
  type MemberView,
} from './coordinator.ts';
export type { FederationStore } from '../store/federation-store.ts';
export { openCoordinator } from './open-coordinator.ts';
export { openFederationStore } from '../store/open-store.ts';
export { completePlan } from '../plan/complete.ts';
