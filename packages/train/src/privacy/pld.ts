/**
 * Composition of privacy loss distributions by the Fourier transform: Koskela, Jälkö and Honkela
 * 2020. Its ε is close to the true one, where the ε of Rényi differential privacy is a bound.
 */
import { fourier } from './fourier.ts';
import {
  type Direction,
  lossOfStep,
  type LossDistribution,
  type LossStep,
  lossStepOf,
} from './loss-distribution.ts';
import { LEAST_SAMPLED_NOISE, type Mechanism } from './mechanism.ts';
import { upperTail } from './normal.ts';

/** Points of the grid of the summed loss: four times as many change ε by less than 2e-4 of it. */
const POINTS = 2 ** 16;
/** Points of the first grid, which shows how far the sum reaches. */
const COARSE = 2 ** 12;
/** Share of δ that is cut off in all; it is counted as spent. */
const CUT = 1e-6;

/** Undefined where a mechanism has no known loss distribution (fixed-size sampling), or next to no noise. */
export function pldEpsilon(mechanisms: readonly Mechanism[], delta: number): number | undefined {
  const steps = mechanisms.filter((each) => each.steps > 0).map(lossStepOf);
  if (!steps.every((step) => step !== undefined)) return undefined;
  if (steps.length === 0) return 0;
  if (steps.every(({ rate }) => rate === 1)) return unsampledEpsilon(steps, delta);
  if (steps.some(({ noise }) => noise < LEAST_SAMPLED_NOISE)) return undefined;
  return Math.max(epsilonTowards('remove', steps, delta), epsilonTowards('add', steps, delta));
}

/** Beyond this e^ε leaves the range of a double; the bound of Rényi differential privacy is left then. */
const MOST_EXACT = 500;

/**
 * Gaussians of all examples are one Gaussian together, whose ε is exact: the smallest with
 * Φ(μ/2 − ε/μ) − e^ε·Φ(−μ/2 − ε/μ) ≤ δ (Balle and Wang 2018, theorem 8).
 */
function unsampledEpsilon(steps: readonly LossStep[], delta: number): number | undefined {
  const mu = Math.sqrt(steps.reduce((sum, { noise, times }) => sum + times / noise ** 2, 0));
  const isEnough = (epsilon: number): boolean =>
    upperTail(epsilon / mu - mu / 2) - Math.exp(epsilon) * upperTail(epsilon / mu + mu / 2) <=
    delta;
  if (isEnough(0)) return 0;
  if (!isEnough(MOST_EXACT)) return undefined;
  let [low, high] = [0, MOST_EXACT];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function epsilonTowards(direction: Direction, steps: readonly LossStep[], delta: number): number {
  const times = steps.reduce((sum, each) => sum + each.times, 0);
  const tail = (delta * CUT) / times;
  const coarse = steps.map((step) => {
    const reach = lossOfStep(step, direction, 1, tail);
    return lossOfStep(step, direction, reach.mass.length / COARSE, tail);
  });
  const [low, high] = reachOf(coarse, steps, delta * CUT);
  const width = (high - low) / POINTS;
  const sum = compose(
    steps.map((step) => lossOfStep(step, direction, width, tail)),
    steps,
    Math.floor(low / width),
  );
  return epsilonOf(sum, delta - 2 * delta * CUT);
}

/** The losses between which all but `tail` of the sum lies on either side: Chernoff's bound. */
function reachOf(
  parts: readonly LossDistribution[],
  steps: readonly LossStep[],
  tail: number,
): [low: number, high: number] {
  const bound = (sign: number): number => {
    let best = Infinity;
    for (let tilt = 2 ** -12; tilt <= 2 ** 12; tilt *= 1.3) {
      const logs = parts.map((part, i) => steps[i]!.times * logMoment(part, sign * tilt));
      const reach = (logs.reduce((sum, log) => sum + log, 0) - Math.log(tail)) / tilt;
      best = Math.min(best, reach);
    }
    return best;
  };
  return [-bound(-1), bound(1)];
}

/** log E[e^{tilt · loss}] of the finite losses. */
function logMoment({ first, width, mass }: LossDistribution, tilt: number): number {
  let top = -Infinity;
  for (let i = 0; i < mass.length; i++) {
    if (mass[i]! > 0) top = Math.max(top, Math.log(mass[i]!) + tilt * (first + i) * width);
  }
  let sum = 0;
  for (let i = 0; i < mass.length; i++) {
    if (mass[i]! > 0) sum += Math.exp(Math.log(mass[i]!) + tilt * (first + i) * width - top);
  }
  return top + Math.log(sum);
}

/** @param first index of the lowest loss of the sum. */
function compose(
  parts: readonly LossDistribution[],
  steps: readonly LossStep[],
  first: number,
): LossDistribution {
  const sumRe = new Float64Array(POINTS).fill(1);
  const sumIm = new Float64Array(POINTS);
  let finite = 1;
  parts.forEach((part, at) => {
    const { times } = steps[at]!;
    const [re, im] = [new Float64Array(POINTS), new Float64Array(POINTS)];
    part.mass.forEach((mass, i) => {
      const place = modulo(part.first + i);
      re[place] = re[place]! + mass;
    });
    fourier(re, im, false);
    for (let i = 0; i < POINTS; i++) {
      const size = Math.hypot(re[i]!, im[i]!) ** times;
      const angle = Math.atan2(im[i]!, re[i]!) * times;
      const [x, y] = [size * Math.cos(angle), size * Math.sin(angle)];
      const before = sumRe[i]!;
      sumRe[i] = before * x - sumIm[i]! * y;
      sumIm[i] = before * y + sumIm[i]! * x;
    }
    finite *= (1 - part.infinite) ** times;
  });
  fourier(sumRe, sumIm, true);
  const mass = Float64Array.from({ length: POINTS }, (_, i) => sumRe[modulo(first + i)]! / POINTS);
  return { first, width: parts[0]!.width, mass, infinite: 1 - finite };
}

function modulo(index: number): number {
  return ((index % POINTS) + POINTS) % POINTS;
}

/** The smallest ε at which the hockey-stick divergence Σ p·(1 − e^{ε − loss})⁺ is at most δ. */
function epsilonOf({ first, width, mass, infinite }: LossDistribution, delta: number): number {
  if (infinite > delta) return Infinity;
  // Sums over the losses above: of p, and of p · e^{present loss − loss}, which stays in the range of a double.
  let above = infinite;
  let other = 0;
  const shrink = Math.exp(-width);
  for (let i = mass.length - 1; i >= 0; i--) {
    const loss = (first + i) * width;
    if (above - other > delta) return Math.max(0, loss + Math.log((above - delta) / other));
    if (loss < 0) return 0;
    above += mass[i]!;
    other = (other + mass[i]!) * shrink;
  }
  return 0;
}
