/**
 * The range of an activation from the histogram of its numbers. A narrower range than the extremes
 * clips a few numbers and stores all others more finely.
 *
 * | method     | the range                                               |
 * | ---------- | ------------------------------------------------------- |
 * | min-max    | the extremes                                            |
 * | percentile | leaves out 0.01 % of the numbers, half at each end      |
 * | mse        | has the least mean squared error                        |
 * | entropy    | has the least divergence of the stored distribution     |
 *
 * Migacz, 8-bit Inference with TensorRT (2017), for the entropy.
 */
import { ACTIVATION_LEVELS, activationGrid, type Range } from '../grid.ts';
import type { Histogram } from './histogram.ts';

export const METHODS = ['min-max', 'percentile', 'mse', 'entropy'] as const;
export type Method = (typeof METHODS)[number];

/** Share of the numbers that `percentile` leaves out. */
const LEFT_OUT = 1e-4;
/** Ranges that are tried, each 4 % narrower than the one before, to a twentieth of the extremes. */
const TRIED = 75;
const NARROWER = 0.96;
/** Probability of what the stored distribution does not contain: a divergence must stay finite. */
const LEAST_PROBABILITY = 1e-6;

export function rangeOf(histogram: Histogram, method: Method): Range {
  const { count, low, high } = histogram;
  if (count === 0) return { low: 0, high: 0 };
  const whole = { low: Math.min(low, 0), high: Math.max(high, 0) };
  switch (method) {
    case 'min-max':
      return whole;
    case 'percentile':
      return percentile(histogram, whole);
    case 'mse':
      return narrowed(whole, (range) => squaredError(histogram, range));
    case 'entropy':
      return narrowed(whole, (range) => divergence(histogram, range));
  }
}

function percentile(histogram: Histogram, whole: Range): Range {
  const { bins, count, width } = histogram;
  const each = (count * LEFT_OUT) / 2;
  let first = 0;
  for (let left = each - bins[first]!; left >= 0; left -= bins[first]!) first += 1;
  let last = bins.length - 1;
  for (let left = each - bins[last]!; left >= 0; left -= bins[last]!) last -= 1;
  return {
    low: Math.min(0, Math.max(whole.low, histogram.middle(first) - width / 2)),
    high: Math.max(0, Math.min(whole.high, histogram.middle(last) + width / 2)),
  };
}

/** Narrows the upper end, then the lower one, to where the cost is least. */
function narrowed(whole: Range, cost: (range: Range) => number): Range {
  const shares = Array.from({ length: TRIED }, (_, i) => NARROWER ** i);
  const best = (candidates: readonly Range[]): Range => {
    const costs = candidates.map(cost);
    return candidates[costs.indexOf(Math.min(...costs))]!;
  };
  const upper = best(shares.map((share) => ({ low: whole.low, high: whole.high * share })));
  if (whole.low === 0) return upper;
  return best(shares.map((share) => ({ low: whole.low * share, high: upper.high })));
}

/** Sum of the squared differences between the numbers and their places on the grid. */
function squaredError(histogram: Histogram, range: Range): number {
  const { scale, zero } = activationGrid(range);
  const { bins, width } = histogram;
  const [first, last] = occupied(bins);
  let sum = 0;
  for (let bin = first; bin <= last; bin++) {
    const count = bins[bin]!;
    if (count === 0) continue;
    const value = histogram.middle(bin);
    const step = Math.min(ACTIVATION_LEVELS, Math.max(0, Math.round(value / scale) + zero));
    // The numbers of a bin are spread over its width, which may be larger than a step.
    sum += count * ((value - (step - zero) * scale) ** 2 + Math.min(width, scale) ** 2 / 12);
  }
  return sum;
}

/**
 * The Kullback–Leibler divergence of the distribution after storing from the one before. Numbers
 * outside of the range are counted at its ends before, and not at all after: this is the price of
 * clipping.
 */
function divergence({ bins, width, count }: Histogram, range: Range): number {
  const { scale, zero } = activationGrid(range);
  const half = bins.length / 2;
  const from = Math.max(0, Math.floor(range.low / width) + half);
  const to = Math.min(bins.length - 1, Math.ceil(range.high / width) - 1 + half);
  const before = bins.slice(from, to + 1);
  const [first, last] = occupied(bins);
  for (let bin = first; bin < from; bin++) before[0]! += bins[bin]!;
  for (let bin = to + 1; bin <= last; bin++) before[before.length - 1]! += bins[bin]!;
  const sums = new Float64Array(ACTIVATION_LEVELS + 1);
  const kinds = new Float64Array(ACTIVATION_LEVELS + 1);
  const stepOf = (bin: number): number => {
    const step = Math.round(((bin - half + 0.5) * width) / scale) + zero;
    return Math.min(ACTIVATION_LEVELS, Math.max(0, step));
  };
  for (let bin = from; bin <= to; bin++) {
    if (before[bin - from] === 0) continue;
    sums[stepOf(bin)]! += bins[bin]!;
    kinds[stepOf(bin)]! += 1;
  }
  const kept = sums.reduce((sum, each) => sum + each, 0);
  if (kept === 0) return Infinity;
  let sum = 0;
  for (let bin = from; bin <= to; bin++) {
    const p = before[bin - from]! / count;
    if (p === 0) continue;
    const step = stepOf(bin);
    const q = sums[step]! / kinds[step]! / kept;
    sum += p * Math.log(p / Math.max(q, LEAST_PROBABILITY));
  }
  return sum;
}

/** The first and the last bin with a number. */
function occupied(bins: Float64Array): readonly [first: number, last: number] {
  let first = 0;
  while (first < bins.length - 1 && bins[first] === 0) first += 1;
  let last = bins.length - 1;
  while (last > first && bins[last] === 0) last -= 1;
  return [first, last];
}
