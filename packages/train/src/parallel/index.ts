export { rowsPerRank } from './batch-part.ts';
export { RankLost } from './collective.ts';
export type { Compression } from './compression/exchange.ts';
export { gradientStep, type GradientStep, type GradientStepOptions } from './gradient-step.ts';
export type { LocalTraining } from './local-training.ts';
export { openThreads, type ThreadsOptions } from './threads/threads.ts';
