/** The runtime that models are calibrated, compared and timed with: the caller's. */
import type { Model } from '../model/model.ts';
import type { TensorMap } from '../tensor/tensor.ts';

export interface Evaluator {
  /** @throws when the runtime refuses the model; the error is passed on. */
  open(model: Model): Promise<OpenModel>;
}

export interface OpenModel {
  /** Runs the graph once. The feeds stay the caller's. */
  run(feeds: TensorMap): Promise<TensorMap>;
  close(): Promise<void>;
}

/** Inputs of a model, batch after batch; read more than once, in the same order. */
export type Samples = Iterable<TensorMap> | AsyncIterable<TensorMap>;

export async function withOpen<T>(
  evaluator: Evaluator,
  model: Model,
  work: (open: OpenModel) => Promise<T>,
): Promise<T> {
  const open = await evaluator.open(model);
  try {
    return await work(open);
  } finally {
    await open.close();
  }
}
