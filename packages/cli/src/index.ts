/** The load generator, for the repository's benchmarks. The command itself is `bin/skein.js`. */
export { createArrivals, type ArrivalKind, type Arrivals } from './load/arrivals.ts';
export { findCapacity, type Capacity, type CapacityOptions } from './load/capacity.ts';
export { latencyCurve, type Curve, type CurvePoint } from './load/curve-svg.ts';
export { Histogram, type HistogramData } from './load/histogram.ts';
export {
  binaryBody,
  GRPC_INFER_PATH,
  grpcBody,
  jsonBody,
  type InferenceBody,
} from './load/inference-body.ts';
export {
  LOAD_DEFAULTS,
  runLoad,
  type GivenPlan,
  type LoadMode,
  type LoadPlan,
  type LoadProgress,
  type LoadReport,
} from './load/load.ts';
export { sampleInputs } from './load/sample-inputs.ts';
export type { Percentiles } from './load/tally.ts';
export type { LoadTarget } from './load/target.ts';
