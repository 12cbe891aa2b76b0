/**
 * The work of a site in a round of DP-FedSGD: it draws a sample of its rows, clips the gradient of
 * each, and gives the sum. The noise is added where the sum is encoded, once per round.
 *
 * A sample is Poisson: each row independently, from the cryptographic generator, so that its size varies
 * and is no secret kept by luck. The sample runs in masked batches of one size, and in as many of them whatever its
 * size: who sees when the site answers, which is the coordinator, must not learn how many rows were chosen, on which the
 * accounting of a sample relies. Nothing is divided by the number of rows: the server divides by a public number.
 */
import type { NumericTensor } from '@skein/onnx';
import { batcher } from '../../data/batcher.ts';
import { openClipped, type ClippedStep } from '../../privacy/clipped-step.ts';
import type { Sampling } from '../../privacy/mechanism.ts';
import { secureRandom, type SecureRandom } from '../../privacy/secure-random.ts';
import { dataError } from '../../train-error.ts';
import { flatten, layoutOf, type Layout } from './layout.ts';
import type { LocalTrainingOptions } from './local-training.ts';

export interface PrivateTrainingOptions extends Pick<
  LocalTrainingOptions,
  'backend' | 'threads' | 'rows'
> {
  /** Input that is 0 for padding. */
  readonly mask: string;
  /** `all` or `poisson`. */
  readonly sampling: Sampling;
  /** Norm that each example's gradient is clipped to, C. */
  readonly norm: number;
  /** Default: the platform's cryptographic generator. */
  readonly random?: SecureRandom;
}

export interface PrivateUpdate {
  /** −Σ of the clipped gradients, [length]: the direction of descent. Without noise; it must not leave the site as it is. */
  readonly update: Float64Array;
  /** Rows in the sample. Not private. */
  readonly rows: number;
  /** Mean loss of the sample. Not private. */
  readonly loss: number;
}

export interface PrivateTraining {
  readonly layout: Layout;
  readonly initial: Float32Array;
  localUpdate(parameters: Float32Array): Promise<PrivateUpdate>;
  close(): Promise<void>;
}

/** @throws TrainError `data` for a sampling that is not private, or a norm that is not above 0. */
export async function openPrivateTraining(
  step: ClippedStep,
  options: PrivateTrainingOptions,
): Promise<PrivateTraining> {
  const { backend, threads = 1, rows, mask, sampling, norm, random = secureRandom() } = options;
  if (sampling.kind === 'fixed') {
    throw dataError('Rows of a private round are all rows or a Poisson sample.');
  }
  if (!(norm > 0 && norm < Infinity)) {
    throw dataError(`The clipping norm ${norm} is not above 0.`);
  }
  const layout = layoutOf({ parameters: step.parameters, statistics: [] });
  const size = step.mode === 'one by one' ? 1 : step.batch;
  const inputs = step.inputs.map(({ name }) => name).filter((name) => name !== mask);
  const batches = batcher(rows, { size, inputs, mask });
  const session = await openClipped(step, backend, { threads });
  const usual = sampling.kind === 'all' ? rows.count : sampleBound(rows.count, sampling.rate);
  return {
    layout,
    initial: flatten(layout, step.initial),
    async localUpdate(parameters) {
      const chosen =
        sampling.kind === 'all'
          ? Uint32Array.from({ length: rows.count }, (_, i) => i)
          : poissonSample(rows.count, sampling.rate, random);
      const update = new Float64Array(layout.length);
      let loss = 0;
      const most = Math.max(usual, chosen.length);
      for (let index = 0; index * size < most; index++) {
        const tensors: ReadonlyMap<string, NumericTensor> = batches.fill(chosen, index).tensors;
        const part = await session.run(tensors, parameters, norm);
        for (let i = 0; i < update.length; i++) update[i] = update[i]! - part.sum[i]!;
        loss += part.loss;
      }
      return { update, rows: chosen.length, loss: loss / Math.max(1, chosen.length) };
    },
    close: () => session.close(),
  };
}

/** Positions that are each chosen by themselves with probability `rate`. */
export function poissonSample(count: number, rate: number, random: SecureRandom): Uint32Array {
  const chosen: number[] = [];
  for (let i = 0; i < count; i++) if (random.unit() < rate) chosen.push(i);
  return Uint32Array.from(chosen);
}

/** A sample is larger than its bound, and its step longer, with a probability of 2 to the minus so many. */
const HIDDEN_BITS = 40;

/** A bound on the size of a Poisson sample, by Chernoff: P(size ≥ s) ≤ e^{−count · KL(s / count ‖ rate)}. */
export function sampleBound(count: number, rate: number): number {
  let most = Math.ceil(count * rate);
  while (most < count && count * divergence((most + 1) / count, rate) < HIDDEN_BITS * Math.LN2) {
    most++;
  }
  return most;
}

/** KL(a ‖ b) of two coins, in nats. */
function divergence(a: number, b: number): number {
  const part = (p: number, q: number): number => (p === 0 ? 0 : p * Math.log(p / q));
  return part(a, b) + part(1 - a, 1 - b);
}
