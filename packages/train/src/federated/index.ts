export { privateTrainingTarget, type Asking } from './audit/audit-target.ts';
export { membershipScores } from './audit/membership.ts';
export {
  federatedModel,
  openLocalTraining,
  type FederatedModel,
  type LocalTraining,
  type LocalTrainingOptions,
} from './training/local-training.ts';
export {
  fewestUpdates,
  ROBUST_NAMES,
  robustUpdate,
  type RobustRule,
  type Updates,
} from './strategies/robust.ts';
export { equalSites, simulate, type SimulationOptions } from './training/simulate.ts';
export { openPersonal, openPersonalTraining } from './training/personal.ts';
export { flatten, layoutOf, tensorsOf, type Layout } from './training/layout.ts';
export { noisePlan, type NoisePlan, type NoisePlanOptions } from './encoding/noise-plan.ts';
export {
  openPrivateTraining,
  poissonSample,
  type PrivateTraining,
  type PrivateTrainingOptions,
} from './training/private-training.ts';
export { stalenessWeight, strategyOf } from './strategies/strategies.ts';
export {
  STRATEGY_NAMES,
  type FederationWeight,
  type ServerState,
  type Strategy,
  type StrategyName,
  type StrategyOptions,
} from './strategies/strategy.ts';
export {
  addResidues,
  assertEncoding,
  canBeSum,
  decodeSum,
  sumReader,
  encodeUpdate,
  roundedUpdate,
  levelWidth,
  noiseShare,
  residueBits,
  residueCount,
  type EncodeOptions,
  type SumEncoding,
} from './encoding/sum-encoding.ts';
