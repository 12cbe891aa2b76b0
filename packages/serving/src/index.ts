/**
 * Models served inside a latency objective. `openServing` is the plane with its state and its
 * registry in one folder; `createServing` takes them from its caller, as a node does.
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
  type ServingObserver,
  type TraceContext,
} from './contract.ts';
export type { DeploymentControl, DeployRequest } from './control.ts';
export { openServing, type EmbeddedServing, type EmbeddedServingOptions } from './open-serving.ts';
export type { Registry } from './registry/contract.ts';
export { createRegistry } from './registry/registry.ts';
export { createServing, type Serving, type ServingOptions } from './serving.ts';
export type { WeightOf } from './tenant-weight.ts';
