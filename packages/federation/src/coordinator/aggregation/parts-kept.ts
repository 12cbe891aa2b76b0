import type { AttemptContext } from './aggregator.ts';

/** Parts of a secure sum that stay in memory: a block of each vector is read in turn, and may lie in two. */
export function partsKept({ plan, broadcast }: AttemptContext): number {
  const vectors = broadcast.bytes / (4 * plan.model.parameters);
  return 2 * vectors - 1;
}
