/**
 * Rényi divergence of a Gaussian on a uniform subset of the examples, for whole α: the smaller of two bounds of Wang,
 * Balle and Kasiviswanathan, "Subsampled Rényi Differential Privacy and Analytical Moments Accountant" (2019), term by
 * term.
 *
 * | bound | factor of binom(α, j) γʲ | holds for |
 * |---|---|---|
 * | theorem 9 | 2 e^{(j − 1) ε(j)} | every mechanism whose divergence is at most ε(j) |
 * | forward differences | 4 √(B(2⌊j/2⌋) B(2⌈j/2⌉)) | a mechanism whose divergence is ε(j): the Gaussian |
 *
 * B(l) is the l-th forward difference of e^{(k − 1) ε(k)} at 0, which is E[(p/q − 1)ˡ] over q. It is smaller where noise
 * is large. Its terms cancel each other, so it is integrated instead: the integrand is positive for even l.
 */
import { logSum, POINTS, TAIL } from './normal.ts';

export interface FixedSize {
  readonly rate: number;
  /** Standard deviation of the noise over the clipping norm. */
  readonly noise: number;
  /** false: only an upper bound of the divergence without sampling is known. */
  readonly isGaussian: boolean;
}

/** One example is replaced, so sums differ by two clipping norms. */
export function fixedStep({ rate, noise, isGaussian }: FixedSize, order: number): number {
  const whole = (2 * order) / noise ** 2;
  if (rate === 1 || !Number.isInteger(order)) return rate === 1 ? whole : Infinity;
  const moments = isGaussian ? momentsOf(noise) : () => Infinity;
  const logs = [0];
  let logChoose = Math.log(order);
  for (let j = 2; j <= order; j++) {
    logChoose += Math.log((order - j + 1) / j);
    const [low, high] = [2 * Math.floor(j / 2), 2 * Math.ceil(j / 2)];
    const theorem = (2 * j * (j - 1)) / noise ** 2 + Math.LN2;
    // The second difference needs only ε(2), and an upper bound of it is enough.
    const close =
      j === 2 ? Math.log(Math.expm1(4 / noise ** 2)) : (moments(low) + moments(high)) / 2;
    logs.push(j * Math.log(rate) + logChoose + Math.min(2 * Math.LN2 + close, theorem));
  }
  // No worse than without sampling.
  return Math.min(logSum(logs) / (order - 1), whole);
}

type Moments = (power: number) => number;

/** By noise: each order of one mechanism asks for the same ones. */
const known = new Map<number, Moments>();
const MOST_KNOWN = 64;

function momentsOf(noise: number): Moments {
  const found = known.get(noise);
  if (found !== undefined) return found;
  if (known.size >= MOST_KNOWN) known.clear();
  const made = computedMoments(noise);
  known.set(noise, made);
  return made;
}

/** @returns log E[(e^{sx − s²/2} − 1)^power] over x from N(0, 1) for even powers, with s = 2 / noise. */
function computedMoments(noise: number): Moments {
  const shift = 2 / noise;
  const width = Math.min(1, 1 / shift) / POINTS;
  /** log |p/q − 1| at −TAIL, −TAIL + width, … */
  const ratios: number[] = [];
  const logs: number[] = [];
  return (power) => {
    // (y − 1)ˡ ≥ yˡ − l yˡ⁻¹: B is above half of the greatest moment then, and theorem 9 is no worse.
    if ((power - 1) * shift ** 2 > Math.log(2 * power)) return Infinity;
    const found = logs[power];
    if (found !== undefined) return found;
    const points = Math.ceil((2 * TAIL + power * shift) / width);
    const terms: number[] = [];
    for (let i = 0; i <= points; i += 1) {
      const x = i * width - TAIL;
      ratios[i] ??= Math.log(Math.abs(Math.expm1(shift * x - shift ** 2 / 2)));
      terms.push(power * ratios[i]! - x ** 2 / 2);
    }
    return (logs[power] = logSum(terms) + Math.log(width / Math.sqrt(2 * Math.PI)));
  };
}
