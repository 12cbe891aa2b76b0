/**
 * How the cost of a run changes with its size, beyond the sizes that have run.
 *
 * Between a fixed cost and one in proportion to the elements lies a factor as large as the ratio of
 * the sizes: 6 elements say nothing about 1,000,000. Up to `REACH` times the known size the cost
 * counts as proportional. Beyond, it grows with the square root, the geometric middle of the two,
 * which is wrong by the smallest factor in the worst case.
 */

/** Ratio of sizes up to which the cost counts as proportional to the elements. */
const REACH = 4;

/** @param ratio of the size to the known one. @returns the ratio of their costs. */
export function extrapolate(ratio: number): number {
  if (ratio > REACH) return Math.sqrt(ratio * REACH);
  if (ratio * REACH < 1) return Math.sqrt(ratio / REACH);
  return ratio;
}
