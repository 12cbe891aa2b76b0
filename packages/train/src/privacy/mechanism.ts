/**
 * A release, as the accountants of differential privacy see it.
 *
 * Neighbouring data sets differ by one example that is added or removed, except with fixed-size
 * sampling, where one example is replaced by another.
 */
import { dataError } from '../train-error.ts';

/**
 * How the examples of a step are chosen. `poisson`: each independently with probability `rate`, so that
 * the size varies. `fixed`: a uniform subset of this share of the data. `all`: every example.
 * Batches cut from a shuffled order are none of these.
 */
export type Sampling =
  | { readonly kind: 'all' }
  | { readonly kind: 'poisson' | 'fixed'; readonly rate: number };

/** Sums of clipped examples, each with fresh Gaussian noise: DP-SGD. */
export interface GaussianSteps {
  readonly kind: 'gaussian';
  /** Standard deviation of the noise over the clipping norm. */
  readonly noise: number;
  readonly sampling: Sampling;
  readonly steps: number;
}

/**
 * Sums of one epoch over a binary tree of noise: DP-FTRL (Kairouz 2021). Each example is in at most
 * one of `steps` leaves, which need no sampling.
 */
export interface TreeSteps {
  readonly kind: 'tree';
  /** Standard deviation of the noise of each node over the clipping norm. */
  readonly noise: number;
  readonly steps: number;
}

/**
 * Like `gaussian`, with integers as noise: sums of discrete Gaussians, one from each site or helper.
 * Only its Rényi divergence is known, which is at most the Gaussian's.
 */
export interface DiscreteSteps {
  readonly kind: 'discrete';
  /** Noise of `noisePlan`: the deviation of the honest noise over the sensitivity, less the cost of its shape. */
  readonly noise: number;
  readonly sampling: Sampling;
  readonly steps: number;
}

/**
 * With less noise a sampled step counts as one of all examples, which the accountants have a formula for: its ε is above
 * 100 anyway, unless samples are rarer than δ, and its losses leave the range of a double.
 */
export const LEAST_SAMPLED_NOISE = 0.045;

export type Mechanism = GaussianSteps | DiscreteSteps | TreeSteps;

/** Nodes of the tree that one leaf adds to. */
export function treeHeight(leaves: number): number {
  return Math.ceil(Math.log2(leaves + 1));
}

/** @throws TrainError `data`, naming the value. */
export function assertMechanism(mechanism: Mechanism): void {
  const { noise, steps } = mechanism;
  if (!(noise > 0 && noise < Infinity)) invalid(`the noise ${noise} is not above 0`);
  if (!(Number.isSafeInteger(steps) && steps >= 0)) invalid(`${steps} is not a number of steps`);
  if (mechanism.kind === 'tree' || mechanism.sampling.kind === 'all') return;
  const { rate } = mechanism.sampling;
  if (!(rate > 0 && rate <= 1)) invalid(`the sampling rate ${rate} is not above 0 and at most 1`);
}

/** @throws TrainError `data`. */
export function assertDelta(delta: number): void {
  if (!(delta > 0 && delta < 1)) invalid(`the delta ${delta} is not between 0 and 1`);
}

function invalid(message: string): never {
  throw dataError(`Privacy accounting: ${message}.`);
}
