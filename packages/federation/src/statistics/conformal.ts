/**
 * Split-conformal sets from counts. A row's nonconformity is 1 − p of its own class (LAC: Sadinle, Lei and Wasserman 2019),
 * compared as the logit of it, which has the same order.
 *
 * A bin is known, and not the place in it, so that the bin's upper border is taken and never a number between. Noise may
 * have added rows below it: the rank is moved up by a number of deviations of the noise of all bins together.
 */
import { SkeinError } from '@skein/api/errors';
import { sigmoid, total, type ScoreCounts } from './score-counts.ts';

export interface ConformalOptions {
  /** Share of rows whose class is in their set, in (0, 1); default 0.9. */
  readonly coverage?: number;
  /** By how many deviations of the noise the rank is moved up; default 1. */
  readonly margin?: number;
}

export interface ConformalQuantile {
  /** A class is in the set if 1 − p of it is at most this. */
  readonly quantile: number;
  /** The same as a logit: the class is in the set if the logit of 1 − p is at most this. */
  readonly logit: number;
  /** Rows, by the noised counts. */
  readonly rows: number;
  /** The rank that was asked for, with the margin. */
  readonly rank: number;
}

/** @returns undefined: the rows are too few, or the noise too large, so that only the set of all classes keeps the promise. */
export function conformalQuantile(
  scores: ScoreCounts,
  { coverage = 0.9, margin = 1 }: ConformalOptions = {},
): ConformalQuantile | undefined {
  const counts = nonconformity(scores);
  const rows = total(counts);
  const noise = scores.deviation * Math.sqrt(2 * counts.length);
  const rank = Math.ceil(coverage * (rows + 1) - 1e-9) + margin * noise;
  let below = 0;
  for (const [bin, count] of counts.entries()) {
    below += count;
    if (below < rank - 1e-9) continue;
    // Numbers beyond the last border are in its bin too.
    if (bin === counts.length - 1) return undefined;
    const logit = scores.borders[bin + 1]!;
    return { quantile: sigmoid(logit), logit, rows, rank };
  }
  return undefined;
}

/** The classes in the set of a row, 0 and 1. @param logit of the second class. */
export function conformalSet(
  logit: number,
  quantile: Pick<ConformalQuantile, 'logit'> | undefined,
): readonly number[] {
  if (quantile === undefined || Number.isNaN(logit)) return [0, 1];
  return [0, 1].filter((label) => (label === 0 ? logit : -logit) <= quantile.logit);
}

/** Rows by the logit of 1 − p of their own class: z of the first class, −z of the second, whose bins stand reversed. */
function nonconformity({ borders, negatives, positives }: ScoreCounts): readonly number[] {
  const last = borders.length - 1;
  const isEven = borders.every((each, i) => Math.abs(each + borders[last - i]!) < 1e-9);
  if (!isEven) {
    throw new SkeinError(
      'PLAN_INVALID',
      'Sets need bins of the score that are symmetric about 0, such as 20 over ±8.',
    );
  }
  const bins = negatives.length;
  return negatives.map((count, bin) => count + positives[bins - 1 - bin]!);
}
