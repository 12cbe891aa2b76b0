/**
 * Rényi differential privacy: a bound for each order α, which adds up over steps and mechanisms.
 *
 * Poisson sampling of a Gaussian: Mironov, Talwar and Zhang 2019, for any α > 1, by quadrature. Fixed-size
 * sampling: `fixed-size.ts`, for whole α. Conversion to (ε, δ): Canonne, Kamath and Steinke 2020, proposition 12.
 */
import { fixedStep } from './fixed-size.ts';
import {
  type DiscreteSteps,
  type GaussianSteps,
  LEAST_SAMPLED_NOISE,
  type Mechanism,
  treeHeight,
} from './mechanism.ts';
import { logSum, POINTS, TAIL } from './normal.ts';

/** The orders over which the smallest ε is taken: close together where most budgets lie. */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 52 }, (_, i) => 12 + i),
  80,
  96,
  128,
  192,
  256,
  384,
  512,
  768,
  1024,
];

/** The Rényi divergence of order α that all steps spend together. */
export function rdpOf(mechanism: Mechanism, order: number): number {
  const { noise, steps } = mechanism;
  if (mechanism.kind === 'tree') return (treeHeight(steps) * order) / (2 * noise ** 2);
  return steps * rdpOfStep(mechanism, order);
}

function rdpOfStep(
  { kind, sampling, noise }: GaussianSteps | DiscreteSteps,
  order: number,
): number {
  const isWhole = sampling.kind === 'all' || sampling.rate === 1 || noise < LEAST_SAMPLED_NOISE;
  if (isWhole && sampling.kind !== 'fixed') return order / (2 * noise ** 2);
  const { rate } = sampling;
  if (sampling.kind === 'fixed')
    return fixedStep({ rate, noise, isGaussian: kind === 'gaussian' }, order);
  return kind === 'discrete'
    ? poissonOfIntegers(rate, noise, order)
    : poissonStep(rate, noise, order);
}

/** log E[(1 − q + q·e^{(2x−1)/2σ²})^α] ÷ (α − 1) over x from N(0, σ²). */
function poissonStep(rate: number, noise: number, order: number): number {
  const variance = noise ** 2;
  const width = Math.min(noise, variance) / POINTS;
  const logs: number[] = [];
  for (let x = -TAIL * noise; x <= order + TAIL * noise; x += width) {
    const ratio = (2 * x - 1) / (2 * variance);
    logs.push(order * logMixture(rate, ratio) - (x * x) / (2 * variance));
  }
  const integral = logSum(logs) + Math.log(width / (noise * Math.sqrt(2 * Math.PI)));
  return Math.max(0, integral) / (order - 1);
}

/**
 * The same for integers as noise, for whole α: log Σₖ binom(α, k) (1 − q)^{α−k} qᵏ e^{(k²−k)/2σ²} ÷ (α − 1).
 *
 * The k-th moment of the likelihood ratio of two discrete Gaussians equals the moment of two Gaussians when they differ by
 * integers, because e^{−(x−ks)²/2σ²} adds up to the same over all x for any whole ks. The divergence in the other
 * direction is smaller: x ↦ s − x exchanges the two (Mironov, Talwar and Zhang 2019, theorem 5).
 */
function poissonOfIntegers(rate: number, noise: number, order: number): number {
  if (!Number.isInteger(order)) return Infinity;
  const stay = Math.log1p(-rate);
  const logs = [order * stay];
  let logChoose = 0;
  for (let k = 1; k <= order; k++) {
    logChoose += Math.log((order - k + 1) / k);
    const moment = (k * (k - 1)) / (2 * noise ** 2);
    logs.push(logChoose + (order - k) * stay + k * Math.log(rate) + moment);
  }
  return Math.max(0, logSum(logs)) / (order - 1);
}

/** log(1 − rate + rate·e^ratio), without overflow. */
export function logMixture(rate: number, ratio: number): number {
  if (rate === 1) return ratio;
  return ratio < 30
    ? Math.log1p(rate * Math.expm1(ratio))
    : ratio + Math.log(rate + (1 - rate) * Math.exp(-ratio));
}

/** Addend of the conversion of a divergence of an order to (ε, δ); negative at high orders. */
export function conversionOf(order: number, delta: number): number {
  return Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
}

/** The smallest ε over the orders, and the order at which it is. */
export function rdpEpsilon(
  mechanisms: readonly Mechanism[],
  delta: number,
): { readonly epsilon: number; readonly order: number } {
  let best = { epsilon: Infinity, order: ORDERS[0]! };
  for (const order of ORDERS) {
    const spent = mechanisms.reduce((sum, each) => sum + rdpOf(each, order), 0);
    const epsilon = spent + conversionOf(order, delta);
    if (epsilon < best.epsilon) best = { epsilon: Math.max(0, epsilon), order };
  }
  return best;
}
