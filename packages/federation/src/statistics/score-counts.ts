/** Counts by score and label, taken out of a table: what temperature, quantiles, calibration and performance are made of. */
import { SkeinError } from '@skein/api/errors';
import { binsOf, isNumeric, widthOf, type Axis } from './axes.ts';
import type { CountTable, NoisyCounts } from './released.ts';

export interface ScoreCounts {
  /** Borders of the logit's bins; rising, one more than bins. */
  readonly borders: readonly number[];
  /** Rows of the first class, by bin. */
  readonly negatives: readonly number[];
  /** Rows of the second class, by bin. */
  readonly positives: readonly number[];
  /** Rows to which the model gave no score. */
  readonly unscored: number;
  /** Standard deviation of the noise of each count. */
  readonly deviation: number;
}

/** Cells of a table with this category on an axis. */
export interface Where {
  /** Name of the axis. */
  readonly axis: string;
  /** The bin on it, by its number. */
  readonly bin: number;
}

/** Bins of an axis as a person reads them; the last of a column holds what has no other. */
export function binNames(axis: Axis): readonly string[] {
  const names = isNumeric(axis)
    ? axis.borders.slice(1).map((high, i) => `${axis.borders[i]} to ${high}`)
    : axis.categories;
  return axis.kind === 'label' ? names : [...names, isNumeric(axis) ? 'none' : 'other'];
}

/** Whether a table has counts by score and label. */
export function isScored({ axes }: Pick<CountTable, 'axes'>): boolean {
  return axes.some(({ kind }) => kind === 'score') && axes.some(({ kind }) => kind === 'label');
}

/**
 * The counts over some axes of a table, in their order: all others are added up.
 * @param from the counts of a site, or of all. @param where absent: every cell.
 */
export function marginal(
  { axes }: Pick<CountTable, 'axes'>,
  { counts, deviation }: NoisyCounts,
  over: readonly Axis[],
  where?: Where,
): NoisyCounts {
  const widths = over.map(widthOf);
  const length = widths.reduce((all, width) => all * width, 1);
  const sums = Array.from({ length }, () => 0);
  let cells = 0;
  for (const [cell, count] of counts.entries()) {
    let rest = cell;
    const bins = new Map<Axis, number>();
    for (const axis of axes.toReversed()) {
      const width = widthOf(axis);
      bins.set(axis, rest % width);
      rest = Math.floor(rest / width);
    }
    const isIn = axes.every((axis) => axis.name !== where?.axis || bins.get(axis) === where.bin);
    if (!isIn) continue;
    cells += 1;
    const at = over.reduce((sum, axis, i) => sum * widths[i]! + bins.get(axis)!, 0);
    sums[at]! += count;
  }
  return { counts: sums, deviation: deviation * Math.sqrt(cells / sums.length) };
}

/** @throws SkeinError PLAN_INVALID for a table without score and label. */
export function scoresOf(table: CountTable, from: NoisyCounts, where?: Where): ScoreCounts {
  const score = table.axes.find(({ kind }) => kind === 'score');
  const label = table.axes.find(({ kind }) => kind === 'label');
  if (score === undefined || label === undefined || !isNumeric(score) || binsOf(label) !== 2) {
    throw new SkeinError('PLAN_INVALID', 'The table does not count by score and label.');
  }
  const { counts, deviation } = marginal(table, from, [label, score], where);
  const width = widthOf(score);
  const bins = binsOf(score);
  return {
    borders: score.borders,
    negatives: counts.slice(0, bins),
    positives: counts.slice(width, width + bins),
    unscored: counts[bins]! + counts[width + bins]!,
    deviation,
  };
}

export const total = (counts: readonly number[]): number =>
  counts.reduce((sum, each) => sum + each, 0);

/** Rows that have a score, by the noised counts. */
export const rowsOf = ({ negatives, positives }: ScoreCounts): number =>
  total(negatives) + total(positives);

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** The logit that stands for a bin. */
export const middleOf = ({ borders }: Pick<ScoreCounts, 'borders'>, bin: number): number =>
  (borders[bin]! + borders[bin + 1]!) / 2;

/** The same counts with logits divided by a temperature. */
export const tempered = (scores: ScoreCounts, temperature: number): ScoreCounts => ({
  ...scores,
  borders: scores.borders.map((border) => border / temperature),
});
