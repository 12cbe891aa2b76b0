export { rowsPerRank } from './batch-part.ts';
export { type Collective } from './collective.ts';
export { gradientStep, type GradientStep } from './gradient-step.ts';
export { followRanks, leadRanks } from './ranks.ts';
export { joinRing } from './ring/rendezvous.ts';
export { openThreads } from './threads/threads.ts';
