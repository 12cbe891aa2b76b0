/** Quantiles of a column, and how far a site is from the others, from counts. */
import type { NumberAxis } from './axes.ts';
import { LEAST_SHOWN, type NoisyCounts } from './released.ts';
import { total } from './score-counts.ts';

export interface BinnedQuantile {
  readonly level: number;
  /** The bin in which it lies: counts hide the place in it. */
  readonly low: number;
  readonly high: number;
}

const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95];

/** @param counts by bin of the axis; the cell after them counts rows without a value. @returns empty: fewer rows than `least`. */
export function quantilesOf(
  { borders }: NumberAxis,
  { counts }: NoisyCounts,
  levels: readonly number[] = LEVELS,
  least = LEAST_SHOWN,
): readonly BinnedQuantile[] {
  const bins = borders.length - 1;
  const valued = counts.slice(0, bins);
  const rows = total(valued);
  if (rows < least) return [];
  return levels.map((level) => {
    let below = 0;
    const found = valued.findIndex((count) => (below += count) >= level * rows - 1e-9);
    const bin = found < 0 ? bins - 1 : found;
    return { level, low: borders[bin]!, high: borders[bin + 1]! };
  });
}

export interface Drift {
  /** Half of Σ |p − q| over the cells: 0 for the same shares, 1 for none in common. */
  readonly distance: number;
  /** Probability of a distance as unlikely or more, if both have the same shares. */
  readonly p: number;
}

/**
 * Compares the shares of two counts: χ² of their difference over what chance and noise give each cell.
 * @returns undefined: one of them has fewer rows than `least`.
 */
export function driftOf(
  site: NoisyCounts,
  others: NoisyCounts,
  least = LEAST_SHOWN,
): Drift | undefined {
  const [n, m] = [total(site.counts), total(others.counts)];
  if (n < least || m < least) return undefined;
  let [distance, chi2, cells] = [0, 0, 0];
  for (const [i, count] of site.counts.entries()) {
    const apart = count / n - others.counts[i]! / m;
    const share = Math.max(0, (count + others.counts[i]!) / (n + m));
    const variance =
      share * (1 / n + 1 / m) + (site.deviation / n) ** 2 + (others.deviation / m) ** 2;
    distance += Math.abs(apart) / 2;
    if (variance <= 0) continue;
    chi2 += apart ** 2 / variance;
    cells += 1;
  }
  return { distance: Math.min(1, distance), p: chiSquareTail(chi2, Math.max(1, cells - 1)) };
}

/** P(χ² ≥ x), by the cube root of Wilson and Hilferty (1931): within .005 from one degree of freedom on. */
export function chiSquareTail(x: number, freedom: number): number {
  const spread = 2 / (9 * freedom);
  return 1 - normalBelow((Math.cbrt(x / freedom) - (1 - spread)) / Math.sqrt(spread));
}

/** Φ, by Abramowitz and Stegun 7.1.26: within 1.5e-7. */
function normalBelow(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (series * Math.exp(-x * x)) / 2;
  return z > 0 ? 1 - tail : tail;
}
