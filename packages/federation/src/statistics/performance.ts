/** How well a model separates two classes, from counts. */
import { LEAST_SHOWN } from './released.ts';
import { total, type ScoreCounts } from './score-counts.ts';

export interface Ranking {
  /** Area under the curve, where two rows of one bin count half. */
  readonly auc: number;
  /** Its bounds: a bin hides the order of its rows. */
  readonly low: number;
  readonly high: number;
}

export interface Decisions {
  /** The logit at and above which a row counts as of the second class: a border of the bins. */
  readonly threshold: number;
  readonly sensitivity: number;
  readonly specificity: number;
  /** Share of the second class among the rows above the threshold; absent: these are too few. */
  readonly ppv?: number;
  /** Rows above the threshold over all rows. */
  readonly alerts: number;
}

/** @param least rows of each class. @returns undefined: a class has fewer. */
export function rankingOf(
  { positives, negatives }: ScoreCounts,
  least = LEAST_SHOWN,
): Ranking | undefined {
  const [ill, well] = [total(positives), total(negatives)];
  if (ill < least || well < least) return undefined;
  let [below, won, tied] = [0, 0, 0];
  for (const [bin, positive] of positives.entries()) {
    const negative = negatives[bin]!;
    won += positive * below;
    tied += positive * negative;
    below += negative;
  }
  const pairs = ill * well;
  const within = (area: number): number => Math.min(1, Math.max(0, area));
  return {
    auc: within((won + tied / 2) / pairs),
    low: within(won / pairs),
    high: within((won + tied) / pairs),
  };
}

/** @param logit moved to the nearest border. @returns undefined: a class has fewer rows than `least`. */
export function decisionsAt(
  { borders, positives, negatives }: ScoreCounts,
  logit = 0,
  least = LEAST_SHOWN,
): Decisions | undefined {
  const [ill, well] = [total(positives), total(negatives)];
  if (ill < least || well < least) return undefined;
  const distances = borders.map((border) => Math.abs(border - logit));
  const bin = distances.indexOf(Math.min(...distances));
  const [found, falsely] = [total(positives.slice(bin)), total(negatives.slice(bin))];
  const share = (part: number, whole: number): number => Math.min(1, Math.max(0, part / whole));
  const above = found + falsely;
  return {
    threshold: borders[bin]!,
    sensitivity: share(found, ill),
    specificity: share(well - falsely, well),
    ...(above < least ? {} : { ppv: share(found, above) }),
    alerts: share(above, ill + well),
  };
}
