/** The rows of a batch for one rank, in memory that is reused for each batch. */
import type { NumericTensor, TensorSpec } from '@skein/onnx';
import { emptyRows } from '../data/dataset.ts';
import type { Tensors } from '../run/backend.ts';
import { dataError } from '../train-error.ts';

/**
 * Rows of one run, when ranks share a batch; the last rank may have fewer, and padding.
 * @param runs in which each rank takes its rows, one after the other.
 */
export function rowsPerRank(batch: number, size: number, runs = 1): number {
  return Math.ceil(batch / (size * runs));
}

export interface BatchPartOptions {
  readonly rank: number;
  readonly size: number;
  /** Rows of a batch. */
  readonly batch: number;
  readonly inputs: readonly Pick<TensorSpec, 'name'>[];
  /** Input that marks padding with 0, float32 [rows]. */
  readonly mask?: string | undefined;
}

/** @throws TrainError `data` when the rows do not fill the batches and there is no mask. */
export function batchPart(options: BatchPartOptions): (batch: Tensors) => Tensors {
  const { rank, size, batch: whole, inputs, mask } = options;
  const rows = rowsPerRank(whole, size);
  if (mask === undefined && rows * size !== whole) {
    throw dataError(
      `A batch of ${whole} rows does not come out even for ${size} workers, and the loss has no mask for padding.`,
    );
  }
  const from = Math.min(rank * rows, whole);
  const to = Math.min(from + rows, whole);
  const parts = new Map<string, NumericTensor>();
  return (batch) => {
    for (const { name } of inputs) {
      const source = batch.get(name);
      if (source === undefined) throw dataError(`The batch has no '${name}'.`);
      let part = parts.get(name);
      if (part === undefined) parts.set(name, (part = emptyRows(source, rows)));
      const bytes = source.bytes.byteLength / whole;
      part.bytes.set(source.bytes.subarray(from * bytes, to * bytes));
      // Missing rows are copies of the first row, with weight 0.
      const filler = name === mask ? new Uint8Array(bytes) : source.bytes.subarray(0, bytes);
      for (let row = to - from; row < rows; row++) part.bytes.set(filler, row * bytes);
    }
    return parts;
  };
}
