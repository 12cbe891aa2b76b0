/**
 * A hospital's counts for calibration: how many of its held-out patients, ill and well, have a logit in each of
 * the published bins. Each patient is in exactly one cell, so one patient changes one count by one. From these
 * counts follow temperature, conformal thresholds and coverage; no row leaves the hospital.
 */

/** Inner borders of the bins, in logits; symmetric, and narrow where predictions are uncertain. */
export const EDGES: readonly number[] = (() => {
  const positive = [0.3, 0.6, 0.9, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6.5];
  return [...positive.map((edge) => -edge).toReversed(), 0, ...positive];
})();
export const BINS = EDGES.length + 1;
/** Logits beyond the outermost border count as this far out. */
const OUTERMOST = 8;

export interface SiteCounts {
  /** By bin: patients without and with the disease. */
  readonly well: readonly number[];
  readonly ill: readonly number[];
  /** Standard deviation of the noise in each count; 0 for exact counts. */
  readonly noise: number;
}

/** Bin of a logit: the number of borders below it. A logit on a border belongs to the bin below. */
export function binOf(logit: number): number {
  let bin = 0;
  while (bin < EDGES.length && logit > EDGES[bin]!) bin++;
  return bin;
}

export function countsOf(rows: readonly (readonly [logit: number, ill: number])[]): SiteCounts {
  const empty = () => Array.from({ length: BINS }, () => 0);
  const counts = { well: empty(), ill: empty() };
  for (const [logit, ill] of rows) counts[ill === 1 ? 'ill' : 'well'][binOf(logit)]! += 1;
  return { ...counts, noise: 0 };
}

export function middleOf(bin: number): number {
  const low = EDGES[bin - 1] ?? -OUTERMOST;
  const high = EDGES[bin] ?? OUTERMOST;
  return (low + high) / 2;
}

export function totalOf({ well, ill }: SiteCounts): number {
  return sum(well) + sum(ill);
}

export const sum = (numbers: readonly number[]): number =>
  numbers.reduce((all, each) => all + each, 0);
