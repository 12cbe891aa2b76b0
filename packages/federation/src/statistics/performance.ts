/** How well a model separates two classes, from counts. */
import { LEAST_SHOWN } from './released.ts';
import { total, type ScoreCounts } from './score-counts.ts';

export interface Ranking {
  /** Area under the curve, where two rows of one bin count half. */
  readonly auc: number;
  /** Its bounds: a bin hides the order of its rows. */
  readonly low: number;
  readonly high: number;
  /** Standard deviation by noise and by the number of rows (DeLong 1988). */
  readonly deviation: number;
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
  /** Standard deviations by noise and by the number of rows. */
  readonly deviations: {
    readonly sensitivity: number;
    readonly specificity: number;
    readonly ppv?: number;
  };
}

/** @param least rows of each class. @returns undefined: a class has fewer. */
export function rankingOf(
  { positives, negatives, deviation }: ScoreCounts,
  least = LEAST_SHOWN,
): Ranking | undefined {
  const [ill, well] = [total(positives), total(negatives)];
  if (ill < least || well < least) return undefined;
  const below = shareBefore(negatives, well);
  const above = shareBefore(positives.toReversed(), ill).toReversed();
  const pairs = ill * well;
  const tied = positives.reduce((sum, each, bin) => sum + each * negatives[bin]!, 0) / pairs;
  const auc = positives.reduce((sum, each, bin) => sum + each * below[bin]!, 0) / ill;
  // How far one more row of a bin moves the area.
  const variance =
    spread(positives, below, auc, deviation) / ill ** 2 +
    spread(negatives, above, auc, deviation) / well ** 2;
  return {
    auc: within(auc),
    low: within(auc - tied / 2),
    high: within(auc + tied / 2),
    deviation: Math.sqrt(variance),
  };
}

/** @param logit moved to the nearest border. @returns undefined: a class has fewer rows than `least`. */
export function decisionsAt(
  { borders, positives, negatives, deviation }: ScoreCounts,
  logit = 0,
  least = LEAST_SHOWN,
): Decisions | undefined {
  const [ill, well] = [total(positives), total(negatives)];
  if (ill < least || well < least) return undefined;
  const distances = borders.map((border) => Math.abs(border - logit));
  const bin = distances.indexOf(Math.min(...distances));
  const bins = positives.length;
  const [found, falsely] = [total(positives.slice(bin)), total(negatives.slice(bin))];
  const above = found + falsely;
  const cells = { in: bins - bin, out: bin };
  const sensitivity = shareOf(found, ill, cells, deviation);
  const specificity = shareOf(well - falsely, well, { in: bin, out: bins - bin }, deviation);
  const alerts = { in: bins - bin, out: bins - bin };
  const ppv = above < least ? undefined : shareOf(found, above, alerts, deviation);
  return {
    threshold: borders[bin]!,
    sensitivity: sensitivity.share,
    specificity: specificity.share,
    ...(ppv === undefined ? {} : { ppv: ppv.share }),
    alerts: within(above / (ill + well)),
    deviations: {
      sensitivity: sensitivity.deviation,
      specificity: specificity.deviation,
      ...(ppv === undefined ? {} : { ppv: ppv.deviation }),
    },
  };
}

const within = (area: number): number => Math.min(1, Math.max(0, area));

/** The share of all rows that is in the bins before each, and half of its own. */
function shareBefore(counts: readonly number[], all: number): number[] {
  let before = 0;
  return counts.map((count) => {
    const share = (before + count / 2) / all;
    before += count;
    return share;
  });
}

/** Σ over bins of the variance of a count, by chance and noise, times the square of what a row of it changes. */
function spread(
  counts: readonly number[],
  values: readonly number[],
  mean: number,
  deviation: number,
): number {
  return counts.reduce(
    (sum, count, bin) => sum + (Math.max(0, count) + deviation ** 2) * (values[bin]! - mean) ** 2,
    0,
  );
}

/** @param cells that are added up in the part, and in the rest of the whole. */
function shareOf(
  part: number,
  whole: number,
  cells: { readonly in: number; readonly out: number },
  deviation: number,
): { readonly share: number; readonly deviation: number } {
  const share = within(part / whole);
  const noise = deviation ** 2 * (cells.in * (1 - share) ** 2 + cells.out * share ** 2);
  const variance = (whole * share * (1 - share) + noise) / whole ** 2;
  return { share, deviation: Math.sqrt(variance) };
}
