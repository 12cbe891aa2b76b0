/**
 * The noise of a federation inside the sum of residues: how large each share is, and what the sum is
 * worth to the accountants when only the shares of honest sites that stayed are counted.
 *
 * Rounding to the grid lets one example move a sum of d numbers by √d levels more than its clipping
 * norm. A sum of discrete Gaussians is no discrete Gaussian; the difference, τ, is Kairouz, Liu and
 * Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
 * Aggregation" (ICML 2021), theorem 1.
 */
import { dataError } from '../../train-error.ts';
import { levelWidth, residueCount, type SumEncoding } from './sum-encoding.ts';

/** Least deviation of a share in levels; below, τ is felt and sums of shares are not as computed. */
const LEAST_DEVIATION = 4;

export interface NoisePlanOptions {
  /** Without its noise. */
  readonly encoding: SumEncoding;
  /** Most that one example, or one client, moves the sum by: the clipping norm C. */
  readonly norm: number;
  /** Wanted standard deviation of the noise over the sensitivity. */
  readonly noise: number;
  /** Shares of noise that a sum has at least: the threshold t of survivors, or the helpers. */
  readonly shares: number;
  /** Shares whose senders may collude with the reader of the sum: c. */
  readonly colluding: number;
  /** Most shares in a sum; default `shares`. */
  readonly mostShares?: number;
  /**
   * Whether updates are counts and a level is a whole part of one: then one example moves the sum by whole levels, the
   * same rounding is in both sums, and rounding adds nothing to the sensitivity.
   */
  readonly areCounts?: boolean;
}

export interface NoisePlan {
  /** With the noise. */
  readonly encoding: SumEncoding;
  /** Standard deviation of a share, in levels. */
  readonly shareDeviation: number;
  /** Most that one example moves the sum by, in levels. */
  readonly sensitivity: number;
  /** For a mechanism of kind `discrete`. */
  readonly noise: number;
}

/** @throws TrainError `data`: a share would be under 4 levels, or a value is out of range. */
export function noisePlan(options: NoisePlanOptions): NoisePlan {
  const { encoding, norm, noise, shares, colluding, mostShares = shares } = options;
  const { areCounts = false } = options;
  const honest = shares - colluding;
  if (!(honest >= 1)) {
    refuse(`${colluding} of ${shares} shares may be known, which leaves none to hide behind`);
  }
  if (!(norm > 0 && noise > 0 && norm < Infinity && noise < Infinity)) {
    refuse(`the norm ${norm} and the noise ${noise} are not both above 0`);
  }
  const numbers = residueCount(encoding);
  const width = levelWidth(encoding);
  if (areCounts && !Number.isInteger(1 / width)) {
    refuse(`a count is ${1 / width} levels, which is not whole`);
  }
  const sensitivity = norm / width + (areCounts ? 0 : Math.sqrt(numbers));
  const variance = Math.ceil((noise * sensitivity) ** 2 / honest);
  const shareDeviation = Math.sqrt(variance);
  if (shareDeviation < LEAST_DEVIATION) {
    refuse(
      `a share of ${shareDeviation.toFixed(2)} levels is under ${LEAST_DEVIATION}; take a smaller range, 16 bits or more noise`,
    );
  }
  return {
    encoding: { ...encoding, noise: { variance, shares: mostShares } },
    shareDeviation,
    sensitivity,
    noise: effectiveNoise({ variance, honest, sensitivity, numbers }),
  };
}

/** The σ of a Gaussian of sensitivity 1 whose Rényi divergence bounds the divergence of the honest shares. */
export function effectiveNoise(sum: {
  readonly variance: number;
  readonly honest: number;
  readonly sensitivity: number;
  readonly numbers: number;
}): number {
  const { variance, honest, sensitivity, numbers } = sum;
  let tau = 0;
  for (let k = 1; k < honest; k++)
    tau += 10 * Math.exp((-2 * Math.PI ** 2 * variance * k) / (k + 1));
  const ratio = sensitivity / Math.sqrt(honest * variance);
  const loss = Math.min(
    Math.sqrt(ratio ** 2 + (tau * numbers) / 2),
    ratio + tau * Math.sqrt(numbers),
  );
  return 1 / loss;
}

function refuse(why: string): never {
  throw dataError(`Noise of the sum: ${why}.`);
}
