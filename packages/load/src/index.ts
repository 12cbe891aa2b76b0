/** Open-loop load for inference servers: plan it, send it, read percentiles off the time at which it was due. */
export { createArrivals, type ArrivalKind, type Arrivals } from './arrivals.ts';
export { findCapacity, type Capacity, type CapacityOptions } from './measuring/capacity.ts';
export { latencyCurve, type Curve, type CurvePoint } from './measuring/curve-svg.ts';
export { Histogram, type HistogramData } from './measuring/histogram.ts';
export {
  binaryBody,
  GRPC_INFER_PATH,
  grpcBody,
  jsonBody,
  type InferenceBody,
  type Tensors,
} from './sending/inference-body.ts';
export {
  LOAD_DEFAULTS,
  runLoad,
  type GivenPlan,
  type LoadMode,
  type LoadPlan,
  type LoadProgress,
  type LoadReport,
} from './load.ts';
export { sampleInputs } from './sending/sample-inputs.ts';
export {
  completeCurve,
  measureCapacity,
  measureOverload,
  measureRate,
  type Overload,
  type SessionOptions,
} from './session.ts';
export type { Percentiles } from './measuring/tally.ts';
export type { LoadTarget } from './target.ts';
