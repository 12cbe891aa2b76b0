export { privateTrainingTarget, type PrivateTrainingTarget } from './audit-target.ts';
export {
  federatedModel,
  openLocalTraining,
  type FederatedModel,
  type LocalTraining,
  type LocalTrainingOptions,
  type LocalUpdate,
} from './local-training.ts';
export { krum, median, normBoundedMean, trimmedMean, type Updates } from './robust.ts';
export { equalSites, simulate, type SimulatedRound, type SimulationOptions } from './simulate.ts';
export { personalRule } from './site-rules.ts';
export { flatten, layoutOf, tensorsOf, type Layout } from './layout.ts';
export { effectiveNoise, noisePlan, type NoisePlan, type NoisePlanOptions } from './noise-plan.ts';
export {
  openPrivateTraining,
  poissonSample,
  type PrivateTraining,
  type PrivateTrainingOptions,
  type PrivateUpdate,
} from './private-training.ts';
export { stalenessWeight, strategyOf } from './strategies.ts';
export {
  STRATEGY_NAMES,
  type ServerState,
  type SiteRule,
  type Strategy,
  type StrategyName,
  type StrategyOptions,
} from './strategy.ts';
export {
  addResidues,
  assertEncoding,
  decodeSum,
  encodeUpdate,
  levelWidth,
  noiseShare,
  residueBits,
  residueCount,
  type DecodedSum,
  type EncodeOptions,
  type SumEncoding,
} from './sum-encoding.ts';
