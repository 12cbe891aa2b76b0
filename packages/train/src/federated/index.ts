export {
  privateTrainingTarget,
  type Asking,
  type PrivateTrainingTarget,
} from './audit/audit-target.ts';
export { membershipScores, type SeenRound } from './audit/membership.ts';
export {
  federatedModel,
  openLocalTraining,
  type FederatedModel,
  type LocalTraining,
  type LocalTrainingOptions,
  type LocalUpdate,
} from './training/local-training.ts';
export {
  fewestUpdates,
  ROBUST_NAMES,
  robustUpdate,
  type RobustRule,
  type Updates,
} from './strategies/robust.ts';
export {
  equalSites,
  simulate,
  type SimulatedRound,
  type SimulationOptions,
} from './training/simulate.ts';
export {
  openPersonal,
  openPersonalTraining,
  type PersonalModels,
  type PersonalTraining,
} from './training/personal.ts';
export { flatten, layoutOf, tensorsOf, type Layout } from './training/layout.ts';
export {
  effectiveNoise,
  noisePlan,
  type NoisePlan,
  type NoisePlanOptions,
} from './encoding/noise-plan.ts';
export {
  openPrivateTraining,
  poissonSample,
  type PrivateTraining,
  type PrivateTrainingOptions,
  type PrivateUpdate,
} from './training/private-training.ts';
export { stalenessWeight, strategyOf } from './strategies/strategies.ts';
export {
  STRATEGY_NAMES,
  type FederationWeight,
  type ServerState,
  type SiteRule,
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
  type SumReader,
  encodeUpdate,
  roundedUpdate,
  levelWidth,
  noiseShare,
  residueBits,
  residueCount,
  type DecodedSum,
  type EncodeOptions,
  type SumEncoding,
} from './encoding/sum-encoding.ts';
