/**
 * Noise that is correlated over rounds, for training whose batches cannot be sampled: DP-FTRL by a banded
 * factorisation of the matrix A of prefix sums, A = B C. Round t releases xₜ + (C⁻¹ z)ₜ, from which the model takes the
 * prefix sums A x + B z. What one round adds, the rounds after it take away again in part.
 *
 * C is the square root of A, a Toeplitz matrix with the coefficients binom(2k, k) / 4ᵏ, cut off after `bands` of them and
 * scaled so that no column is longer than 1. An example that is in one of any `bands` consecutive rounds meets columns
 * that do not overlap: k times in training it moves C x by at most √k clipping norms.
 *
 * Fichtenberger, Henzinger and Upadhyay, "Constant Matters" (ICML 2023); Choquette-Choo et al., "(Amplified) Banded Matrix
 * Factorization" (NeurIPS 2023); Kalinin and Lampert, "Banded Square Root Matrix Factorization" (NeurIPS 2024).
 */
import type { SecureRandom } from './secure-random.ts';

/** The first `count` coefficients of the square root of A: 1, 1/2, 3/8, 5/16 … */
export function squareRootCoefficients(count: number): Float64Array {
  const found = new Float64Array(count);
  for (let k = 0; k < count; k += 1)
    found[k] = k === 0 ? 1 : (found[k - 1]! * (2 * k - 1)) / (2 * k);
  return found;
}

/** The first column of C, of norm 1. */
export function bandedFactor(bands: number): Float64Array {
  const square = squareRootCoefficients(bands);
  const norm = Math.hypot(...square);
  return square.map((each) => each / norm);
}

/** The first column of C⁻¹, [count]. */
export function inverseOf(factor: Float64Array, count: number): Float64Array {
  const inverse = new Float64Array(count);
  for (let t = 0; t < count; t += 1) {
    let rest = t === 0 ? 1 : 0;
    for (let j = 1; j < factor.length && j <= t; j += 1) rest -= factor[j]! * inverse[t - j]!;
    inverse[t] = rest / factor[0]!;
  }
  return inverse;
}

/** Coefficients of C⁻¹ after which nothing of a double is left: they fall faster than k to the −3/2. */
const MOST_COEFFICIENTS = 8192;

/** The largest variance of the noise of one round over that of z. */
export function varianceGain(bands: number): number {
  return inverseOf(bandedFactor(bands), MOST_COEFFICIENTS).reduce(
    (sum, each) => sum + each ** 2,
    0,
  );
}

/**
 * The root of the mean square error of the prefix sums of so many rounds, for z of deviation 1: ‖B‖ / √steps.
 * Independent noise has √((steps + 1) / 2).
 */
export function prefixError(bands: number, steps: number): number {
  const inverse = inverseOf(bandedFactor(bands), steps);
  let [prefix, row, sum] = [0, 0, 0];
  for (let t = 0; t < steps; t += 1) {
    prefix += inverse[t]!;
    row += prefix ** 2;
    sum += row;
  }
  return Math.sqrt(sum / steps);
}

/** In how many of so many rounds an example is at most. */
export function mostParticipations(bands: number, steps: number): number {
  return Math.ceil(steps / bands);
}

export interface CorrelatedNoiseOptions {
  readonly bands: number;
  /** Numbers of a round. */
  readonly length: number;
  /** Standard deviation of z. */
  readonly deviation: number;
  /** Gives the same numbers for a round each time that it is asked: z of a round is needed again in those after it. */
  readonly random: (round: number) => Pick<SecureRandom, 'unit'>;
}

export interface CorrelatedNoise {
  /** (C⁻¹ z)ₜ, [length]. The same for a round each time; one after the other it costs `bands` sums. */
  of(round: number): Float64Array;
}

export function correlatedNoise(options: CorrelatedNoiseOptions): CorrelatedNoise {
  const { bands, length, deviation, random } = options;
  const factor = bandedFactor(bands);
  /** Of the last rounds, the newest first. */
  let past: Float64Array[] = [];
  let next = 0;
  return {
    of(round) {
      // Rounds before the last are asked for after a restart only.
      if (round < next - 1) [past, next] = [[], 0];
      for (; next <= round; next += 1) {
        const noise = gaussians(length, deviation, random(next));
        for (let j = 1; j < bands && j <= past.length; j += 1) {
          const [weight, before] = [factor[j]!, past[j - 1]!];
          for (let i = 0; i < length; i += 1) noise[i] = noise[i]! - weight * before[i]!;
        }
        for (let i = 0; i < length; i += 1) noise[i] = noise[i]! / factor[0]!;
        past = [noise, ...past.slice(0, bands - 1)];
      }
      return past[0]!.slice();
    },
  };
}

/** Independent numbers from N(0, deviation²) (Box and Muller). */
function gaussians(
  length: number,
  deviation: number,
  random: Pick<SecureRandom, 'unit'>,
): Float64Array {
  const found = new Float64Array(length);
  for (let i = 0; i < length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random.unit()));
    const angle = 2 * Math.PI * random.unit();
    found[i] = radius * Math.cos(angle);
    if (i + 1 < length) found[i + 1] = radius * Math.sin(angle);
  }
  return found;
}
