/**
 * The temperature of a model from counts: logits divided by it fit the labels best (Guo et al. 2017). Fine bins of the logit
 * matter: 20 of them over ±8 err by .013 in its logarithm, 20 of the probability by .21.
 *
 * Noise of the counts makes it uncertain, so its logarithm is drawn towards 0, by the share of its variance that a prior of
 * deviation ½ leaves: with 148 rows and noise of deviation 3 the estimate alone is worse than none.
 */
import { middleOf, rowsOf, sigmoid, type ScoreCounts } from './score-counts.ts';

export interface Temperature {
  /** The divisor of logits, above 0. */
  readonly temperature: number;
  /** The estimate before it was drawn towards 1. */
  readonly estimate: number;
  /** Standard deviation of the logarithm of the estimate, from noise and from the number of rows; null: unknown. */
  readonly deviation: number | null;
}

/** Standard deviation of ln T over models: between .37 and 2.7 lie 95 % of them. */
const PRIOR = 0.5;
/** Largest |ln T| that is searched. */
const MOST = Math.log(10);

/** @returns undefined: there are no rows. */
export function temperatureOf(scores: ScoreCounts): Temperature | undefined {
  if (rowsOf(scores) < 1) return undefined;
  const logT = searched((at) => loss(scores, at));
  const [slopes, curvature] = derivatives(scores, logT);
  // The curvature is the information of the rows; noise adds its own spread to the slope.
  const noise = scores.deviation ** 2 * slopes;
  const variance = (Math.max(curvature, 0) + noise) / curvature ** 2;
  const isKnown = curvature > 0 && Number.isFinite(variance);
  const share = isKnown ? PRIOR ** 2 / (PRIOR ** 2 + variance) : 0;
  return {
    temperature: Math.exp(share * logT),
    estimate: Math.exp(logT),
    deviation: isKnown ? Math.sqrt(variance) : null,
  };
}

/** Negative log-likelihood of the counts at a logarithm of the temperature. */
function loss(scores: ScoreCounts, logT: number): number {
  const rate = Math.exp(-logT);
  let sum = 0;
  for (let bin = 0; bin < scores.positives.length; bin++) {
    const logit = middleOf(scores, bin) * rate;
    sum += scores.positives[bin]! * softplus(-logit) + scores.negatives[bin]! * softplus(logit);
  }
  return sum;
}

/** Σ over cells of the squared slope of a row's loss, and the expected curvature of the loss, both by ln T. */
function derivatives(scores: ScoreCounts, logT: number): readonly [number, number] {
  const rate = Math.exp(-logT);
  let [slopes, curvature] = [0, 0];
  for (let bin = 0; bin < scores.positives.length; bin++) {
    const logit = middleOf(scores, bin) * rate;
    const p = sigmoid(logit);
    slopes += (logit * (1 - p)) ** 2 + (logit * p) ** 2;
    curvature += (scores.positives[bin]! + scores.negatives[bin]!) * logit ** 2 * p * (1 - p);
  }
  return [slopes, curvature];
}

/** The least value of a function with one valley, by golden sections. */
function searched(of: (at: number) => number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [-MOST, MOST];
  while (high - low > 1e-6) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (of(left) < of(right)) high = right;
    else low = left;
  }
  return (low + high) / 2;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
