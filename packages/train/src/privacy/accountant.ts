/** Spending of differentially private training, and the noise that a budget needs. */
import { dataError } from '../train-error.ts';
import { assertDelta, assertMechanism, type Mechanism } from './mechanism.ts';
import { pldEpsilon } from './pld.ts';
import { rdpEpsilon } from './rdp.ts';

export interface Spent {
  /** The smaller of the two below: the run is (epsilon, delta)-differentially private. */
  readonly epsilon: number;
  /** By Rényi differential privacy, and the order that gives it. */
  readonly rdp: { readonly epsilon: number; readonly order: number };
  /** By privacy loss distributions; undefined with fixed-size sampling, and with next to no noise. */
  readonly pld: number | undefined;
}

/**
 * The ε that all mechanisms on the same data spend together.
 * @throws TrainError `data`.
 */
export function epsilonOf(mechanisms: readonly Mechanism[], delta: number): Spent {
  assertDelta(delta);
  mechanisms.forEach(assertMechanism);
  const rdp = rdpEpsilon(mechanisms, delta);
  const pld = pldEpsilon(mechanisms, delta);
  return { epsilon: Math.min(rdp.epsilon, pld ?? Infinity), rdp, pld };
}

/** Relative precision of a calibrated noise. */
const PRECISION = 1e-4;
/** A noise beyond which no budget is worth looking for. */
const MOST_NOISE = 1e6;
const LEAST_NOISE = 1e-2;

/**
 * The least noise with which the mechanism stays within a budget.
 * @param withNoise the mechanism with a given noise.
 * @throws TrainError `data`: no noise is enough.
 */
export function noiseFor(
  budget: { readonly epsilon: number; readonly delta: number },
  withNoise: (noise: number) => readonly Mechanism[],
): number {
  assertDelta(budget.delta);
  if (!(budget.epsilon > 0)) {
    throw dataError(`Privacy accounting: the epsilon ${budget.epsilon} is not above 0.`);
  }
  withNoise(1).forEach(assertMechanism);
  const { epsilon, delta } = budget;
  const bound = (noise: number): boolean => rdpEpsilon(withNoise(noise), delta).epsilon <= epsilon;
  const close = (noise: number): boolean =>
    (pldEpsilon(withNoise(noise), delta) ?? Infinity) <= epsilon;
  const known = pldEpsilon(withNoise(MOST_NOISE), delta) !== undefined;
  if (!known) return leastNoise(LEAST_NOISE, MOST_NOISE, bound);
  // The bound is fast, and its noise is enough for the exact accountant too; its ε ends above 0.
  if (!bound(MOST_NOISE)) return leastNoise(LEAST_NOISE, MOST_NOISE, close);
  let enough = leastNoise(LEAST_NOISE, MOST_NOISE, bound);
  // Over hundreds of millions of steps the grid of losses is coarser than the bound.
  if (!close(enough)) return enough;
  // Where samples are rare, and budgets small, it is several times the least.
  let less = enough / 2;
  while (less > LEAST_NOISE && close(less)) [enough, less] = [less, less / 2];
  return leastNoise(less, enough, close);
}

/** Bisects the logarithm; the result holds. */
function leastNoise(low: number, high: number, holds: (noise: number) => boolean): number {
  if (!holds(high)) {
    throw dataError('Privacy accounting: no noise keeps to this budget.');
  }
  let [below, above] = [low, high];
  while (above / below > 1 + PRECISION) {
    const middle = Math.sqrt(below * above);
    if (holds(middle)) above = middle;
    else below = middle;
  }
  return above;
}
