/**
 * Serves models within a latency objective. `openServing` opens the plane with its state and
 * registry in one folder; `createServing` gets them from its caller, as in a node.
 */
export { describeComposition } from './composition/describe-composition.ts';
export {
  Cancellation,
  type Clock,
  type DeployedModel,
  type Inference,
  type InferenceAnswer,
  type InferenceRequest,
  type Instant,
  type Prediction,
  type ServingObserver,
  type TraceContext,
} from './contract.ts';
export type { DeploymentControl, DeployRequest } from './control.ts';
export type { DesiredDeployments } from './follow/follower.ts';
export type { Place, Placing, ResidentDeployment } from './follow/placing.ts';
export { decideMembers, startFleetScaling } from './scaling/fleet-scale.ts';
export type { MemoryUse } from './scaling/memory-use.ts';
export { expectedBytes } from './scaling/model-memory.ts';
export { openServing, type EmbeddedServing } from './open-serving.ts';
export type { Registry } from './registry/contract.ts';
export { createRegistry } from './registry/registry.ts';
export type { DesiredDeployment } from './follow/placing.ts';
export type { RolloutPeers, RolloutReport } from './rollout/peers.ts';
export { createServing, type Serving } from './serving.ts';
export type { WeightOf } from './dispatch/queue/deadline-queue.ts';
