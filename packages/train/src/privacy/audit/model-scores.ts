/**
 * Scores of rows for having been in the training of a finished model: by how much its loss of a row is below the loss of the
 * model before, or how low it is where no such model is at hand. A row whose loss is low anyhow, because it is easy, would
 * seem included (Watson, Guo, Cormode and Sablayrolles, "On the Importance of Difficulty Calibration in Membership
 * Inference Attacks", ICLR 2022).
 */
import { signatureOf, values, type Model } from '@skein/onnx';
import { batcher } from '../../data/batcher.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Backend } from '../../run/backend.ts';
import { MASK, problemOf } from '../../task/problem.ts';

export interface ModelScoresOptions {
  readonly backend: Backend;
  /** By the names of the model's inputs, with labels. */
  readonly rows: Dataset;
  /** The same network before its training. */
  readonly before?: Model | undefined;
}

/** @returns a score for each row; higher where it seems included. */
export async function modelScores(
  model: Model,
  { backend, rows, before }: ModelScoresOptions,
): Promise<Float64Array> {
  const after = await losses(model, rows, backend);
  if (before === undefined) return after.map((loss) => -loss);
  const first = await losses(before, rows, backend);
  return after.map((loss, i) => first[i]! - loss);
}

/** Row by row: a mean over a batch would mix them. */
async function losses(model: Model, rows: Dataset, backend: Backend): Promise<Float64Array> {
  const { graded } = problemOf(model, { batch: 1 });
  const inputs = signatureOf(graded.model)
    .inputs.map(({ name }) => name)
    .filter((name) => name !== MASK);
  const batches = batcher(rows, { size: 1, inputs, mask: MASK });
  const order = Uint32Array.from({ length: rows.count }, (_, i) => i);
  const graph = await backend.open(graded.model);
  try {
    const found = new Float64Array(rows.count);
    for (const row of order) {
      const given = await graph.run(batches.fill(order, row).tensors);
      found[row] = Number(values(given.get(graded.loss)!)[0]);
    }
    return found;
  } finally {
    await graph.close();
  }
}
