export { rowsPerRank } from './batch-part.ts';
export { alone, gatherBytes, RankLost, type Collective } from './collective.ts';
export type { Compression } from './compression/exchange.ts';
export { gradientStep, type GradientStep, type GradientStepOptions } from './gradient-step.ts';
export type { LocalTraining } from './local-training.ts';
export { followRanks, leadRanks, type RankOptions } from './ranks.ts';
export { elastic, type Elasticity } from './ring/elastic.ts';
export { joinRing, type RingOptions } from './ring/rendezvous.ts';
export { openThreads, type ThreadsOptions } from './threads/threads.ts';
