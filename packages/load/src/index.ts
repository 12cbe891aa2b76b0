/** Open-loop load for inference servers: plan it, send it, read percentiles off the time at which it was due. */
export { findCapacity, type Capacity } from './measuring/capacity.ts';
export { latencyCurve } from './measuring/curve-svg.ts';
export {
  binaryBody,
  GRPC_INFER_PATH,
  grpcBody,
  jsonBody,
  type Tensors,
} from './sending/inference-body.ts';
export { runLoad, type LoadMode, type LoadReport } from './load.ts';
export { sampleInputs } from './sending/sample-inputs.ts';
export {
  completeCurve,
  measureCapacity,
  measureOverload,
  measureRate,
  type Overload,
  type SessionOptions,
} from './session.ts';
export type { LoadTarget } from './target.ts';
