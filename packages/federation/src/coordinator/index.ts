/** The coordinator; Node only. */
export {
  type Coordinator,
  type CoordinatorOptions,
  FEDERATION_PATH,
  type FederationView,
  type InvitationOptions,
  type MemberView,
  type SpentEpsilon,
} from './coordinator.ts';
export type { FederationStore, MemberRecord, RunRecord } from '../store/federation-store.ts';
export { completePlan } from '../plan/complete.ts';
