/**
 * The privacy loss of one step on a grid, so that the ε of every δ is at least the true one.
 *
 * Each bucket's mass is split between its two ends so that both neighbours' probabilities stay:
 * "connect the dots" of Doroshenko, Ghazi, Kamath, Kumar and Manurangsi 2022. The hockey-stick curve
 * is exact on the grid and above the true one between its points.
 */
import { type Mechanism, treeHeight } from './mechanism.ts';
import { logMixture } from './rdp.ts';
import { massBetween, type Tails, tailsAt, upperTail } from './normal.ts';

/** Which neighbour has the example: `remove` compares with fewer examples, `add` with more. */
export type Direction = 'remove' | 'add';

/** Probabilities of the losses `(first + i) · width`, and of an infinite one. */
export interface LossDistribution {
  readonly first: number;
  readonly width: number;
  readonly mass: Float64Array;
  readonly infinite: number;
}

/** A Gaussian of standard deviation `noise` that is shifted by 1 with probability `rate`. */
export interface LossStep {
  readonly noise: number;
  readonly rate: number;
  /** How often the step is taken. */
  readonly times: number;
}

/** The step that a mechanism repeats; undefined where no exact loss is known. */
export function lossStepOf(mechanism: Mechanism): LossStep | undefined {
  const { noise, steps } = mechanism;
  if (mechanism.kind === 'tree') {
    return { noise: noise / Math.sqrt(treeHeight(steps)), rate: 1, times: 1 };
  }
  if (mechanism.kind === 'discrete' || mechanism.sampling.kind === 'fixed') return undefined;
  const rate = mechanism.sampling.kind === 'all' ? 1 : mechanism.sampling.rate;
  // Gaussians of all examples add up to one with less noise.
  return rate === 1
    ? { noise: noise / Math.sqrt(steps), rate, times: Math.min(steps, 1) }
    : { noise, rate, times: steps };
}

/** @param tail probability of losses that are counted as infinite, for each step. */
export function lossOfStep(
  { noise, rate }: LossStep,
  direction: Direction,
  width: number,
  tail: number,
): LossDistribution {
  const [low, high] = outputs(noise, direction, tail);
  const lossAt = (x: number): number => {
    const loss = logMixture(rate, (2 * x - 1) / (2 * noise ** 2));
    return direction === 'remove' ? loss : -loss;
  };
  const ends = [lossAt(low), lossAt(high)];
  const first = Math.floor(Math.min(...ends) / width);
  const last = Math.ceil(Math.max(...ends) / width);
  const mass = new Float64Array(last - first + 1);
  /** Tails of both neighbours at the output with a loss. */
  const tails = (index: number): { without: Tails; shifted: Tails } => {
    const loss = (first + index) * width;
    const output = outputOf(direction === 'remove' ? loss : -loss, noise, rate);
    const x = Math.min(Math.max(output, low), high);
    return { without: tailsAt(x, 0, noise), shifted: tailsAt(x, 1, noise) };
  };
  let below = tails(0);
  for (let i = 1; i < mass.length; i++) {
    const above = tails(i);
    // A loss rises with the output for `remove`, and falls for `add`.
    const [from, to] = direction === 'remove' ? [below, above] : [above, below];
    const without = massBetween(from.without, to.without);
    const mixture = (1 - rate) * without + rate * massBetween(from.shifted, to.shifted);
    const [p, q] = direction === 'remove' ? [mixture, without] : [without, mixture];
    const upper = (p - q * Math.exp((first + i - 1) * width)) / -Math.expm1(-width);
    const atUpper = Math.min(Math.max(upper, 0), p);
    mass[i] = mass[i]! + atUpper;
    mass[i - 1] = mass[i - 1]! + p - atUpper;
    below = above;
  }
  // Normalised alone: the sum of the mass lacks only rounding, which many steps would multiply.
  const outside = (mean: number): number =>
    tailsAt(low, mean, noise).below + tailsAt(high, mean, noise).above;
  const infinite =
    direction === 'remove' ? (1 - rate) * outside(0) + rate * outside(1) : outside(0);
  return { first, width, mass, infinite };
}

/** Range of outputs with less than `tail` outside. */
function outputs(noise: number, direction: Direction, tail: number): [low: number, high: number] {
  let deviations = 1;
  while (upperTail(deviations) > tail / 4) deviations += 0.25;
  const reach = deviations * noise;
  return [-reach, (direction === 'remove' ? 1 : 0) + reach];
}

/** The output whose loss, with the example over without it, is `loss`; infinite where there is none. */
function outputOf(loss: number, noise: number, rate: number): number {
  const ratio = (Math.expm1(loss) + rate) / rate;
  if (ratio <= 0 && rate < 1) return -Infinity;
  return noise ** 2 * (rate === 1 ? loss : Math.log(ratio)) + 0.5;
}
