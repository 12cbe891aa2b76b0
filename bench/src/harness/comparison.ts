/** Old figures and new ones: a ratio per row, above 1 where the new one is better. */
import type { Measure } from './report.ts';
import { median, medianBounds } from './statistics.ts';

export type Results = Readonly<Record<string, number>>;

/** One round: both versions, one after the other. */
export interface Pair {
  readonly old: Results;
  readonly new: Results;
}

/** The median gain over the rounds; 1: nothing. */
export interface Gain {
  readonly gain: number;
  /** Where the true median lies, at 95 %; of fewer than six rounds, their least and most. */
  readonly low: number;
  readonly high: number;
}

export interface Row extends Gain {
  readonly key: string;
}

export interface Comparison {
  readonly rows: readonly Row[];
  /** Geometric mean of the rows of a round, over the rounds. */
  readonly geometricMean: Gain;
}

/** Rows that promise nothing, and rows that a round did not measure, are left out. */
export function compare(measures: readonly Measure[], pairs: readonly Pair[]): Comparison {
  const gains = measures.flatMap(({ key, target }) =>
    target === null ? [] : [{ key, gains: pairs.map((pair) => gainOf(pair, key, target)) }],
  );
  const rows = gains.flatMap(({ key, gains: all }) => {
    const measured = all.filter((gain) => gain !== undefined);
    return measured.length === 0 ? [] : [{ key, ...summaryOf(measured) }];
  });
  const means = pairs.flatMap((_, round) => {
    const logs = gains.map(({ gains: all }) => all[round]).filter((gain) => gain !== undefined);
    if (logs.length === 0) return [];
    return [Math.exp(logs.reduce((sum, gain) => sum + Math.log(gain), 0) / logs.length)];
  });
  return { rows, geometricMean: summaryOf(means) };
}

function gainOf(pair: Pair, key: string, target: NonNullable<Measure['target']>) {
  const ratio = (pair.new[key] ?? Number.NaN) / (pair.old[key] ?? Number.NaN);
  const gain = 'atLeast' in target ? ratio : 1 / ratio;
  return Number.isFinite(gain) && gain > 0 ? gain : undefined;
}

const summaryOf = (gains: readonly number[]): Gain => ({
  gain: median(gains),
  ...medianBounds(gains),
});
