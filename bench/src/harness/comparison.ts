/** Old figures beside new ones: a ratio per row, above 1 where the new one is better. */
import type { Measure } from './report.ts';

export type Results = Readonly<Record<string, number>>;

/** One round: both versions, one after the other. */
export interface Pair {
  readonly old: Results;
  readonly new: Results;
}

export interface Row {
  readonly key: string;
  /** Median over the rounds of what the row gained; 1: the same. */
  readonly gain: number;
  readonly least: number;
  readonly most: number;
}

export interface Comparison {
  readonly rows: readonly Row[];
  readonly geometricMean: number;
}

/** Rows that promise nothing, and rows that a round did not measure, are left out. */
export function compare(measures: readonly Measure[], pairs: readonly Pair[]): Comparison {
  const rows = measures.flatMap(({ key, target }): Row[] => {
    if (target === null) return [];
    const gains = pairs
      .map(({ old, new: fresh }) => {
        const ratio = (fresh[key] ?? Number.NaN) / (old[key] ?? Number.NaN);
        return 'atLeast' in target ? ratio : 1 / ratio;
      })
      .filter((gain) => Number.isFinite(gain) && gain > 0)
      .sort((a, b) => a - b);
    if (gains.length === 0) return [];
    return [{ key, gain: medianOf(gains), least: gains[0]!, most: gains.at(-1)! }];
  });
  const logs = rows.map(({ gain }) => Math.log(gain));
  const mean = logs.reduce((sum, log) => sum + log, 0) / Math.max(1, logs.length);
  return { rows, geometricMean: Math.exp(mean) };
}

function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
