/** Whether probabilities match frequencies, from counts (Guo et al. 2017; Brier 1950). */
import { LEAST_SHOWN } from './released.ts';
import { middleOf, sigmoid, type ScoreCounts } from './score-counts.ts';

export interface ReliabilityBin {
  /** Probability of the second class: the borders of the bin. */
  readonly low: number;
  readonly high: number;
  /** In the middle of the bin's logits. */
  readonly predicted: number;
  /** Rows by the noised counts. */
  readonly rows: number;
  /** Share of the second class among them, within 0 to 1. */
  readonly observed: number;
}

export interface BinnedCalibration {
  /** Bins with rows enough, rising. */
  readonly bins: readonly ReliabilityBin[];
  /** Mean distance of predicted and observed, weighted by rows, over these bins. */
  readonly error: number;
  /** Mean squared distance of probability and outcome, over all bins. */
  readonly brier: number;
  /** Standard deviation of `brier` by noise and by the number of rows. */
  readonly deviation: number;
  /** Rows of all bins. With 150 rows in 10 bins most of `error` is chance. */
  readonly rows: number;
}

/**
 * @param least rows of a bin that is given; default 10, and two deviations of its noise.
 * @returns undefined: no bin has so many.
 */
export function calibrationOf(
  scores: ScoreCounts,
  least = Math.max(LEAST_SHOWN, 2 * Math.SQRT2 * scores.deviation),
): BinnedCalibration | undefined {
  const bins: ReliabilityBin[] = [];
  let [brier, all, distance, shown] = [0, 0, 0, 0];
  for (const [bin, positive] of scores.positives.entries()) {
    const negative = scores.negatives[bin]!;
    const predicted = sigmoid(middleOf(scores, bin));
    const rows = positive + negative;
    all += rows;
    brier += positive * (1 - predicted) ** 2 + negative * predicted ** 2;
    if (rows < least || rows <= 0) continue;
    const observed = Math.min(1, Math.max(0, positive / rows));
    const [low, high] = [scores.borders[bin]!, scores.borders[bin + 1]!].map(sigmoid);
    bins.push({ low: low!, high: high!, predicted, rows, observed });
    shown += rows;
    distance += rows * Math.abs(observed - predicted);
  }
  if (bins.length === 0) return undefined;
  const mean = Math.max(0, brier / all);
  return {
    bins,
    error: distance / shown,
    brier: mean,
    deviation: spreadOf(scores, mean),
    rows: all,
  };
}

function spreadOf({ positives, negatives, borders, deviation }: ScoreCounts, mean: number): number {
  let [variance, all] = [0, 0];
  for (const [bin, positive] of positives.entries()) {
    const predicted = sigmoid(middleOf({ borders }, bin));
    const cells = [
      [positive, (1 - predicted) ** 2],
      [negatives[bin]!, predicted ** 2],
    ] as const;
    for (const [count, loss] of cells) {
      all += count;
      variance += (Math.max(0, count) + deviation ** 2) * (loss - mean) ** 2;
    }
  }
  return Math.sqrt(variance) / all;
}
