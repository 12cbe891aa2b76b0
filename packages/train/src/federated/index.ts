export { privateTrainingTarget, type Asking } from './audit/audit-target.ts';
export { membershipScores } from './audit/membership.ts';
export {
  federatedModel,
  openLocalTraining,
  type FederatedModel,
} from './training/local-training.ts';
export { fewestUpdates, ROBUST_NAMES, robustUpdate, type RobustRule } from './strategies/robust.ts';
export { equalSites, simulate } from './training/simulate.ts';
export { openPersonal, openPersonalTraining } from './training/personal.ts';
export { flatten, tensorsOf } from './training/layout.ts';
export { noisePlan } from './encoding/noise-plan.ts';
export { openPrivateTraining } from './training/private-training.ts';
export { stalenessWeight, strategyOf } from './strategies/strategies.ts';
export {
  STRATEGY_NAMES,
  type FederationWeight,
  type ServerState,
  type Strategy,
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
  rangeOfCounts,
  noiseShare,
  residueBits,
  residueCount,
  type SumEncoding,
} from './encoding/sum-encoding.ts';
