/** The p-quantile (0–1) by linear interpolation between order statistics (Hyndman & Fan, type 7). */
export function quantile(samples: readonly number[], p: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = samples.toSorted((a, b) => a - b);
  const position = p * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/**
 * Where the median of what the samples are from lies, at 95 %, whatever its distribution: the order
 * statistics that it is outside of in at most one of forty cases on each side. Fewer than six
 * samples are all needed, and cover it less often.
 */
export function medianBounds(samples: readonly number[]): { low: number; high: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  let skipped = 0;
  // How likely it is that so many of the samples, or fewer, are below their median.
  let chance = 0.5 ** sorted.length;
  for (let below = 1, exactly = chance; chance <= 0.025; below += 1) {
    skipped = below - 1;
    exactly *= (sorted.length - below + 1) / below;
    chance += exactly;
  }
  return { low: sorted[skipped] ?? Number.NaN, high: sorted.at(-1 - skipped) ?? Number.NaN };
}
