/**
 * Samples of the discrete Gaussian: integers x with a probability in proportion to e^{−x²/2σ²}.
 *
 * Integers, because noise of floating-point numbers leaks through its last bits (Mironov 2012), and
 * because the noise is added inside a sum of residues. Follows Canonne, Kamath and Steinke, "The
 * Discrete Gaussian for Differential Privacy" (NeurIPS 2020), Algorithms 1 to 3. Their coins are
 * exact; here a coin of probability e^{−x} is split into coins of at least e^{−1}, each exact to
 * 2⁻⁵¹ of its probability. A sample takes fewer than 2⁷ coins outside of events of probability
 * 2⁻¹⁰⁰, so the probabilities of n samples differ from the exact ones by a factor of at most
 * e^{n·2⁻⁴⁴}: 6e-8 in ε for a million.
 */
import { dataError } from '../train-error.ts';
import { secureRandom, type SecureRandom } from './secure-random.ts';

/**
 * A deviation of 2^24: twelve of them to either side still fit into the 32 bits of a residue, and a sample, of a
 * few hundred deviations at most, is a whole double.
 */
export const MOST_VARIANCE = 2 ** 48;

export interface DiscreteGaussian {
  sample(): number;
}

/**
 * @param variance σ², a whole number: rounding up adds noise and never takes any away.
 * @throws TrainError `data` for another variance.
 */
export function discreteGaussian(
  variance: number,
  random: SecureRandom = secureRandom(),
): DiscreteGaussian {
  if (!(Number.isSafeInteger(variance) && variance > 0 && variance <= MOST_VARIANCE)) {
    throw dataError(`The variance ${variance} of the noise is not a whole number from 1 to 2^48.`);
  }
  const scale = Math.floor(Math.sqrt(variance)) + 1;
  const centre = variance / scale;
  return {
    sample() {
      for (;;) {
        const candidate = discreteLaplace(scale, random);
        const distance = Math.abs(candidate) - centre;
        if (coin((distance * distance) / (2 * variance), random)) return candidate;
      }
    },
  };
}

/** Probability in proportion to e^{−|x|/scale}. */
function discreteLaplace(scale: number, random: SecureRandom): number {
  for (;;) {
    const rest = random.below(scale);
    if (!smallCoin(rest / scale, random)) continue;
    let whole = 0;
    while (smallCoin(1, random)) whole++;
    const magnitude = rest + scale * whole;
    const negative = (random.uint32() & 1) === 1;
    // Zero has one sign.
    if (negative && magnitude === 0) continue;
    return negative ? -magnitude : magnitude;
  }
}

/** True with probability e^{−x} for any x ≥ 0. */
function coin(x: number, random: SecureRandom): boolean {
  let rest = x;
  for (; rest > 1; rest--) if (!smallCoin(1, random)) return false;
  return smallCoin(rest, random);
}

/** True with probability e^{−x} for x in [0, 1]. */
function smallCoin(x: number, random: SecureRandom): boolean {
  return random.unit() < Math.exp(-x);
}
