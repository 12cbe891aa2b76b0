/**
 * Rows of a dataset as batches of one size, in memory that is reused for each batch.
 *
 * The last batch is filled up with copies of its first row, which a mask of zeros takes out of loss
 * and gradient: every batch has the same shape, so that a session plans its memory once, and every
 * row counts the same.
 */
import { values, type NumericTensor } from '@skein/onnx';
import type { Tensors } from '../run/backend.ts';
import { dataError } from '../train-error.ts';
import { copyRow, emptyRows, type Dataset } from './dataset.ts';
import { blockReader, type RowOrder } from './rows/block-order.ts';
import { bytesPerRow, isStored, readStoredRow, type StoredRows } from './rows/stored.ts';

export interface Batch {
  readonly tensors: Tensors;
  /** Rows that are not padding; they come first. */
  readonly rows: number;
  /** Sum of their weights. */
  readonly weight: number;
}

export interface Batcher {
  /** Batches in one pass. */
  readonly count: number;
  /** Sum of the weights of all rows. */
  readonly weight: number;
  /** Fills the batch's memory; valid until the next call. Beyond the end of the order it is all padding. */
  fill(order: RowOrder, index: number): Batch;
}

export interface BatcherOptions {
  readonly size: number;
  /** Inputs to fill. */
  readonly inputs: readonly string[];
  /**
   * Input that is 1 for a row, or what the dataset has under this name, and 0 for padding, float32 [size];
   * without it the rows must come out even. */
  readonly mask?: string | undefined;
}

/**
 * @throws TrainError `data` when the dataset lacks an input, or the rows do not fill the batches
 * and there is no mask.
 */
export function batcher(dataset: Dataset, { size, inputs, mask }: BatcherOptions): Batcher {
  if (mask === undefined && dataset.count % size !== 0) {
    throw dataError(
      `${dataset.count} rows do not come out even in batches of ${size}, and the loss has no mask for padding.`,
    );
  }
  const batch = new Map<string, NumericTensor>();
  const pairs = inputs.map((name) => {
    const source = dataset.tensors.get(name) ?? dataset.stored?.get(name);
    if (source === undefined) {
      const known = [...dataset.tensors.keys(), ...(dataset.stored?.keys() ?? [])];
      const names = known.map((each) => `'${each}'`).join(', ');
      throw dataError(`The dataset has no '${name}', only ${names}.`);
    }
    const target = emptyRows(source, size);
    batch.set(name, target);
    return [rowCopier(source, dataset.blockRows), target] as const;
  });
  const own = mask === undefined ? undefined : dataset.tensors.get(mask);
  const rowWeights = own && (values(own) as Float32Array);
  const weights = new Float32Array(size);
  if (mask !== undefined) {
    batch.set(mask, { type: 'float32', shape: [size], bytes: new Uint8Array(weights.buffer) });
  }
  return {
    count: Math.ceil(dataset.count / size),
    weight: rowWeights?.reduce((sum, each) => sum + each, 0) ?? dataset.count,
    fill(order, index) {
      const start = index * size;
      const rows = Math.max(0, Math.min(size, order.length - start));
      const own = order.subarray(start, start + rows);
      const padding = own[0] ?? order.subarray(0, 1)[0] ?? 0;
      for (const [copy, target] of pairs) {
        for (let i = 0; i < size; i++) copy(i < rows ? own[i]! : padding, target, i);
      }
      weights.fill(1, 0, rows).fill(0, rows);
      if (rowWeights === undefined) return { tensors: batch, rows, weight: rows };
      let weight = 0;
      for (let i = 0; i < rows; i++) weight += weights[i] = rowWeights[own[i]!]!;
      return { tensors: batch, rows, weight };
    },
  };
}

type RowCopier = (row: number, into: NumericTensor, at: number) => void;

function rowCopier(source: NumericTensor | StoredRows, blockRows: number | undefined): RowCopier {
  if (!isStored(source)) return (row, into, at) => copyRow(source, row, into, at);
  const size = bytesPerRow(source);
  const read =
    blockRows === undefined
      ? (row: number, into: Uint8Array) => readStoredRow(source, row, into)
      : blockReader(source, blockRows);
  return (row, into, at) => read(row, into.bytes.subarray(at * size, (at + 1) * size));
}
