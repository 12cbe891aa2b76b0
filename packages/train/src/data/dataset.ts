/** Rows to train or evaluate on: tensors by input name, whose first axis is the row; in memory or stored. */
import {
  elementCount,
  elementSize,
  values,
  type ClassIndices,
  type NumericTensor,
} from '@skein/onnx';
import type { Tensors } from '../run/backend.ts';
import { dataError } from '../train-error.ts';
import { inMemory } from './rows/array-rows.ts';
import { blockOrder, type RowOrder } from './rows/block-order.ts';
import { shuffled } from './rows/shuffled.ts';
import { isStored, selectStoredRows, type StoredRows } from './rows/stored.ts';

export interface Dataset {
  /** Rows, at least 1. */
  readonly count: number;
  /** Tensors in memory. */
  readonly tensors: Tensors;
  /** Tensors in files; absent: none. */
  readonly stored?: ReadonlyMap<string, StoredRows>;
  /**
   * Rows of a block, of rows that are larger than memory: they are in files in a random order, and an epoch visits
   * block after block. Absent: an epoch visits the rows in any order.
   */
  readonly blockRows?: number;
}

/** @throws TrainError `data` when there are no rows, or tensors differ in the number of rows. */
export function dataset(rows: Readonly<Record<string, NumericTensor | StoredRows>>): Dataset {
  const entries = Object.entries(rows);
  const count = entries[0]?.[1].shape[0] ?? 0;
  if (count === 0) throw dataError('The dataset has no rows.');
  for (const [name, { shape }] of entries) {
    if (shape[0] !== count) {
      throw dataError(
        `'${entries[0]![0]}' has ${count} rows, but '${name}' has ${shape[0] ?? 'no axis of'} rows.`,
      );
    }
  }
  const tensors = new Map<string, NumericTensor>();
  const stored = new Map<string, StoredRows>();
  for (const [name, each] of entries) {
    if (isStored(each)) stored.set(name, each);
    else tensors.set(name, each);
  }
  return { count, tensors, ...(stored.size === 0 ? {} : { stored }) };
}

/** The same rows, with these tensors in memory. */
export function loadRows(of: Dataset, names: readonly string[]): Dataset {
  const tensors = new Map(of.tensors);
  const stored = new Map(of.stored);
  for (const name of names) {
    const found = stored.get(name);
    if (found === undefined) continue;
    tensors.set(name, inMemory(found));
    stored.delete(name);
  }
  return { ...of, tensors, stored };
}

/** Rows of a dataset in a given order, copied; of stored rows only the row numbers are copied. */
export function selectRows(of: Dataset, rows: ArrayLike<number>): Dataset {
  const count = rows.length;
  if (count === 0) throw dataError('No rows were selected.');
  const tensors = new Map<string, NumericTensor>();
  for (const [name, source] of of.tensors) {
    const target = emptyRows(source, count);
    for (let i = 0; i < count; i++) copyRow(source, rows[i]!, target, i);
    tensors.set(name, target);
  }
  if (of.stored === undefined) return { count, tensors };
  const stored = [...of.stored].map(
    ([name, each]) => [name, selectStoredRows(each, rows)] as const,
  );
  return { count, tensors, stored: new Map(stored) };
}

/** The order of the rows in an epoch: one seed for each epoch, far from the seeds of other runs. */
export function orderOfEpoch(
  { count, blockRows }: Pick<Dataset, 'count' | 'blockRows'>,
  seed: number,
  epoch: number,
): RowOrder {
  const mixed = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca77)) >>> 0;
  return blockRows === undefined ? shuffled(count, mixed) : blockOrder(count, blockRows, mixed);
}

/**
 * Splits row numbers at random, the first part having `share` of them (at least one row in each).
 * @throws TrainError `data` when there are fewer than two rows.
 */
export function splitRows(
  count: number,
  { share, seed }: { readonly share: number; readonly seed: number },
): readonly [first: Uint32Array, second: Uint32Array] {
  if (count < 2) throw dataError(`${count} rows cannot be split.`);
  const order = shuffled(count, seed);
  const border = Math.min(Math.max(Math.round(count * share), 1), count - 1);
  return [order.slice(0, border), order.slice(border)];
}

/**
 * Labels as the int64 numbers of their classes.
 * @param labelOf a row's label as text; `NaN` where one is missing.
 * @param what name of the labels, for messages.
 * @param firstRow number of the first of these rows, for messages.
 * @throws TrainError `data` for a label that is not one of the classes, naming the row.
 */
export function classNumbers(
  count: number,
  labelOf: (row: number) => string,
  classes: readonly string[],
  what: string,
  firstRow = 0,
): NumericTensor {
  const positions = new Map(classes.map((name, position) => [name, BigInt(position)]));
  const counted = classes.every((name, position) => name === String(position));
  const result = new BigInt64Array(count);
  for (let row = 0; row < count; row++) {
    const label = labelOf(row);
    const position = positions.get(label);
    if (position !== undefined) {
      result[row] = position;
      continue;
    }
    const flaw =
      label === 'NaN'
        ? `Row ${firstRow + row} has no '${what}' to learn from.`
        : counted
          ? `Row ${firstRow + row} has the label ${label}, which is out of range: there are ${classes.length} classes, 0 to ${classes.length - 1}.`
          : `Row ${firstRow + row} has the class '${label}', which is none of ${classes.join(', ')}.`;
    throw dataError(flaw);
  }
  return { type: 'int64', shape: [count], bytes: new Uint8Array(result.buffer) };
}

/**
 * Holds indices of classes, of rows or of places in them, against their range.
 * @param rowOf the number of a row, for the message.
 * @throws TrainError `data` for an index that is none of the classes, naming the row.
 */
export function requireIndices(
  indices: NumericTensor,
  { classes, ignored }: Pick<ClassIndices, 'classes' | 'ignored'>,
  rowOf: (row: number) => number,
): void {
  const numbers = values(indices) as ArrayLike<number | bigint>;
  const perRow = numbers.length / indices.shape[0]!;
  for (let i = 0; i < numbers.length; i++) {
    const index = Number(numbers[i]);
    if (index === ignored || (Number.isInteger(index) && index >= 0 && index < classes)) continue;
    throw dataError(
      `Row ${rowOf(Math.floor(i / perRow))} has the label ${numbers[i]}, which is out of range: there are ${classes} classes, 0 to ${classes - 1}.`,
    );
  }
}

export function emptyRows(
  { type, shape }: Pick<NumericTensor, 'type' | 'shape'>,
  count: number,
): NumericTensor {
  const sizes = [count, ...shape.slice(1)];
  return { type, shape: sizes, bytes: new Uint8Array(elementCount(sizes) * elementSize(type)) };
}

export function copyRow(from: NumericTensor, row: number, to: NumericTensor, at: number): void {
  const size = from.bytes.byteLength / from.shape[0]!;
  to.bytes.set(from.bytes.subarray(row * size, (row + 1) * size), at * size);
}
