/**
 * Lower bounds of ε from guesses about who was in the training. A bound above what the accountants
 * claim is a proof, at the stated confidence, that the training is less private than it claims.
 */
import { epsilonOf } from '../accountant.ts';
import { upperTail } from '../normal.ts';

/** Guesses that were made, and how many of them were right. */
export interface Guesses {
  readonly made: number;
  readonly right: number;
}

/** Largest ε that the search covers. */
const MOST = 50;
const PRECISION = 1e-4;

/**
 * The ε that one run rules out: no (ε, δ)-private training lets so many guesses be right, except with
 * probability 1 − confidence.
 *
 * Steinke, Nasr and Jagielski, "Privacy Auditing with One (1) Training Run" (NeurIPS 2023), theorem
 * 5.2, for canaries that were each included with probability ½.
 *
 * @param canaries about which guesses could have been made.
 */
export function oneRunEpsilon(
  { made, right }: Guesses,
  canaries: number,
  { delta, confidence }: { readonly delta: number; readonly confidence: number },
): number {
  const isPossible = (epsilon: number): boolean => {
    const tails = binomialTails(made, 1 / (1 + Math.exp(-epsilon)));
    const beta = tails[right]!;
    let alpha = 0;
    for (let i = 1; i <= right; i++) alpha = Math.max(alpha, (tails[right - i]! - beta) / i);
    return beta + 2 * canaries * delta * alpha > 1 - confidence;
  };
  return largest((epsilon) => !isPossible(epsilon));
}

/**
 * The ε that the error rates of a test of membership rule out for noise of Gaussian shape, by the
 * trade-off curve of Gaussian differential privacy: μ ≥ Φ⁻¹(1 − false positives) − Φ⁻¹(false negatives).
 * Much closer than `oneRunEpsilon`; it takes the canaries for independent.
 *
 * Nasr et al., "Tight Auditing of Differentially Private Machine Learning" (USENIX Security 2023).
 */
export function gaussianEpsilon(
  falsePositives: Guesses,
  falseNegatives: Guesses,
  { delta, confidence }: { readonly delta: number; readonly confidence: number },
): number {
  // Each rate may be wrong with half of what is left of the confidence.
  const above = (1 - confidence) / 2;
  const mu =
    upperQuantile(mostRate(falsePositives, above)) + upperQuantile(mostRate(falseNegatives, above));
  if (!(mu > 0)) return 0;
  return epsilonOf(
    [{ kind: 'gaussian', noise: 1 / mu, steps: 1, sampling: { kind: 'all' } }],
    delta,
  ).epsilon;
}

/** Clopper and Pearson's upper limit of a rate of `right` in `made`. */
function mostRate({ made, right }: Guesses, outside: number): number {
  if (right === made) return 1;
  let [low, high] = [right / made, 1];
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    // P[at most `right`] falls as the rate grows.
    if (1 - binomialTails(made, middle)[right + 1]! > outside) low = middle;
    else high = middle;
  }
  return high;
}

/** P[at least v of n] for v = 0 … n + 1. */
function binomialTails(n: number, p: number): Float64Array {
  const tails = new Float64Array(n + 2);
  const [log, logNot] = [Math.log(p), Math.log1p(-p)];
  let logChoose = 0;
  const mass = new Float64Array(n + 1);
  for (let v = 0; v <= n; v++) {
    if (v > 0) logChoose += Math.log((n - v + 1) / v);
    mass[v] = Math.exp(logChoose + (v === 0 ? 0 : v * log) + (v === n ? 0 : (n - v) * logNot));
  }
  for (let v = n; v >= 0; v--) tails[v] = tails[v + 1]! + mass[v]!;
  return tails;
}

/** The x that N(0, 1) exceeds with a probability. */
function upperQuantile(probability: number): number {
  let [low, high] = [-12, 12];
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (upperTail(middle) > probability) low = middle;
    else high = middle;
  }
  return low;
}

/** The largest ε that is ruled out; 0 when none is. */
function largest(isRuledOut: (epsilon: number) => boolean): number {
  if (!isRuledOut(PRECISION)) return 0;
  let [low, high] = [0, MOST];
  while (high - low > PRECISION) {
    const middle = (low + high) / 2;
    if (isRuledOut(middle)) low = middle;
    else high = middle;
  }
  return low;
}
