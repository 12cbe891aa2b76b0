/**
 * Whether predicted probabilities match observed frequencies: of the rows predicted with 80 %, four
 * in five should be right. Rows are put into bins of equal width by their probability.
 *
 * Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), §2.
 */
export interface CalibrationBin {
  /** Rows in the bin, at least 1: empty bins are left out. */
  readonly count: number;
  /** Mean predicted probability. */
  readonly confidence: number;
  /** Share of the rows for which the event came true. */
  readonly frequency: number;
}

export interface Calibration {
  /** By rising probability. */
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: mean distance of confidence and frequency, weighted by rows. */
  readonly error: number;
  /** Mean squared distance of probability and outcome (Brier, 1950). */
  readonly brier: number;
}

/**
 * @param outcomes 0 or 1: whether the event came true.
 * @param probabilities of the event, in [0, 1].
 * @param bins of equal width; a probability on a border belongs to the lower bin, 0 to the first.
 */
export function calibration(
  outcomes: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  bins = 10,
): Calibration {
  const counts = new Float64Array(bins);
  const confidence = new Float64Array(bins);
  const frequency = new Float64Array(bins);
  let brier = 0;
  for (let i = 0; i < outcomes.length; i++) {
    const probability = probabilities[i]!;
    const bin = Math.max(Math.ceil(probability * bins) - 1, 0);
    counts[bin]!++;
    confidence[bin]! += probability;
    frequency[bin]! += outcomes[i]!;
    brier += (probability - outcomes[i]!) ** 2;
  }
  const filled: CalibrationBin[] = [];
  let distance = 0;
  counts.forEach((count, bin) => {
    if (count === 0) return;
    filled.push({
      count,
      confidence: confidence[bin]! / count,
      frequency: frequency[bin]! / count,
    });
    distance += Math.abs(confidence[bin]! - frequency[bin]!);
  });
  return { bins: filled, error: distance / outcomes.length, brier: brier / outcomes.length };
}
