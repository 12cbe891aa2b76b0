/**
 * Encodes raw rows of a table for a network: numbers are shifted and scaled to mean 0 and deviation
 * 1, categories become one-hot.
 *
 * The encoding is fitted on the training rows only, so that no information about the validation
 * rows leaks into the model. `withEncoder` writes it into the graph, so that clients of the served
 * model send raw rows.
 */
import { tensor, type NumericTensor } from '@skein/onnx';
import { dataError } from '../../train-error.ts';
import { classNumbers, dataset, type Dataset } from '../dataset.ts';
import { withDateParts, type DateColumn } from '../dates/date-columns.ts';
import { eachBlock, momentsOfColumns } from './moments.ts';
import { rowSet, type RowSet } from '../rows/row-set.ts';
import type { RowStore, StoredRows } from '../rows/stored.ts';
import { assertWhole, BLOCK_ROWS, blockOf, numbersOf, type Column } from '../table/column.ts';
import { columnOf, type Table } from '../table/table.ts';

export interface NumberFeature {
  readonly name: string;
  readonly kind: 'number';
  /** Subtracted from each number. */
  readonly mean: number;
  /** Divisor: the standard deviation; 1 for a constant column. */
  readonly deviation: number;
  /** Replaces a missing value, NaN in a raw row; absent: a missing value is an error. */
  readonly fill?: number;
}

export interface CategoryFeature {
  readonly name: string;
  readonly kind: 'category';
  readonly categories: readonly string[];
}

export type Feature = NumberFeature | CategoryFeature;

export type Target =
  /** Class i is `classes[i]`. */
  | { readonly name: string; readonly kind: 'category'; readonly classes: readonly string[] }
  | { readonly name: string; readonly kind: 'number' };

export interface Encoder {
  /** In the order of the columns of a raw row. */
  readonly features: readonly Feature[];
  readonly target: Target;
  /** Columns after encoding. */
  readonly width: number;
  /** Columns of dates, whose parts are features. */
  readonly dates?: readonly DateColumn[] | undefined;
}

export interface FitOptions {
  /**
   * Column to predict. A name alone means classes for a column of texts, and numbers for a column
   * of numbers.
   */
  readonly target: string | Target;
  /** Columns to predict from; default: all except the target. */
  readonly features?: readonly string[] | undefined;
  /** Columns of dates, which are taken apart: each of their parts is a feature. */
  readonly dates?: readonly DateColumn[] | undefined;
  /** Rows to fit on: the training rows. */
  readonly rows: ArrayLike<number> | RowSet;
  /** Called with how much of the work is done, from 0 to 1. */
  readonly onShare?: ((share: number) => void) | undefined;
  /** `none` leaves numbers unchanged; categories are always one-hot. Default `standard`. */
  readonly numbers?: 'standard' | 'none';
  /**
   * `mean` replaces a missing number by the mean, and a missing category by none. Default: an
   * error.
   */
  readonly missing?: 'mean' | undefined;
}

/**
 * Classes are sorted, so that they do not depend on the order of the rows.
 * @throws TrainError `data` for a missing column, or no rows to fit on.
 */
export function fitEncoder(given: Table, options: FitOptions): Encoder {
  const { features, rows, dates = [] } = options;
  const table = withDateParts(given, dates);
  if (rows.length === 0) throw dataError('There are no rows to fit the encoding on.');
  const target =
    typeof options.target === 'string'
      ? targetOfColumn(columnOf(table, options.target))
      : options.target;
  const names =
    features?.flatMap((name) => dates.find((date) => date.name === name)?.parts ?? [name]) ??
    table.columns.map(({ name }) => name).filter((name) => name !== target.name);
  if (names.length === 0) {
    throw dataError(`There is no column except '${target.name}' to predict it from.`);
  }
  if (names.includes(target.name)) {
    throw dataError(`'${target.name}' is to be predicted, so it cannot be a feature too.`);
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw dataError(`The feature '${twice}' is named twice.`);
  const fitted = fitFeatures(
    names.map((name) => columnOf(table, name)),
    { ...options, rows: 'within' in rows ? rows : rowSet(rows) },
  );
  const widths = fitted.map((each) => (each.kind === 'number' ? 1 : each.categories.length));
  const width = widths.reduce((sum, each) => sum + each, 0);
  return { features: fitted, target, width, ...(dates.length === 0 ? {} : { dates }) };
}

function targetOfColumn(column: Column): Target {
  const { name, kind } = column;
  return kind === 'number' ? { name, kind } : { name, kind, classes: column.categories.toSorted() };
}

function fitFeatures(
  columns: readonly Column[],
  { rows, numbers = 'standard', missing, onShare }: FitOptions & { readonly rows: RowSet },
): Feature[] {
  const numeric = columns.filter(({ kind }) => kind === 'number');
  const moments = momentsOfColumns(numeric, rows, onShare);
  return columns.map((column): Feature => {
    const { name } = column;
    if (column.kind === 'category') {
      const seen = new Set<number>();
      eachBlock(rows, (from, to, places) => {
        const codes = blockOf(column, from, to);
        for (const place of places) seen.add(codes[place]!);
      });
      const categories = column.categories.filter((_, i) => seen.has(i));
      return { name, kind: 'category', categories };
    }
    const found = moments[numeric.indexOf(column)];
    if (found === undefined) {
      throw dataError(`Column '${name}' has no value in any training row.`);
    }
    const scale = numbers === 'none' ? { mean: 0, deviation: 1 } : found;
    return {
      name,
      kind: 'number',
      ...scale,
      ...(missing === 'mean' ? { fill: found.mean } : {}),
    };
  });
}

/**
 * Called with encoded rows before they are used: [rows, features], and the number of the first row.
 */
export type BlockCheck = (block: Float32Array, firstRow: number) => void;

export interface EncodeOptions {
  readonly check?: BlockCheck | undefined;
  /** Labels in the form that the training compares; default: as they are. */
  readonly labelsOf?: ((labels: NumericTensor) => NumericTensor) | undefined;
  /** Whether the labels of a table that is not in memory are stored, too. */
  readonly storesLabels?: boolean | undefined;
  /** Called with the rows that are encoded, of a table that is not in memory. */
  readonly onRows?: ((done: number) => void) | undefined;
}

/**
 * Raw rows as `features`, float32 [rows, features], a category being its position; and the target as `labels`:
 * int64 [rows] for classes, float32 [rows, 1] for numbers. A category that was not in the training
 * rows, or is missing, gets the next position after the last, and is encoded as all zeros. The rows of
 * a table that is not in memory are stored where it is.
 *
 * @throws TrainError `data` for a missing column, a column of another type, or a class that the
 *   encoder does not know, naming the row.
 */
export function encodeRows(
  given: Table,
  encoder: Encoder,
  { check, labelsOf = (labels) => labels, storesLabels = false, onRows }: EncodeOptions = {},
): Dataset {
  const { features, target, dates = [] } = encoder;
  const table = withDateParts(given, dates);
  const { count, store } = table;
  const rawLabels = labelReader(table, target);
  const labels =
    store !== undefined && storesLabels
      ? storedLabels(count, (from, to) => labelsOf(rawLabels(from, to)), store)
      : labelsOf(rawLabels(0, count));
  const fillers = features.map((feature, at) => columnFiller(table, feature, at, features.length));
  const shape = [count, features.length];
  const encoded = (from: number, to: number, memory: Float32Array<ArrayBuffer>) => {
    const block = memory.subarray(0, (to - from) * features.length);
    for (const fill of fillers) fill(block, from, to);
    check?.(block, from);
    onRows?.(to);
    return block;
  };
  if (store !== undefined) {
    return dataset({ features: storedFeatures(shape, encoded, store), labels });
  }
  const whole = new Float32Array(count * features.length);
  return dataset({ features: tensor('float32', shape, encoded(0, count, whole)), labels });
}

function storedFeatures(
  shape: readonly number[],
  encoded: (from: number, to: number, memory: Float32Array<ArrayBuffer>) => Float32Array,
  store: RowStore,
): StoredRows {
  const [count = 0, width = 0] = shape;
  const memory = new Float32Array(BLOCK_ROWS * width);
  const writer = store.create();
  for (let from = 0; from < count; from += BLOCK_ROWS) {
    const { byteLength } = encoded(from, Math.min(from + BLOCK_ROWS, count), memory);
    writer.append(new Uint8Array(memory.buffer, 0, byteLength));
  }
  return { type: 'float32', shape, bytes: writer.finish(), start: 0 };
}

function storedLabels(
  count: number,
  labelsOf: (from: number, to: number) => NumericTensor,
  store: RowStore,
): StoredRows {
  const writer = store.create();
  let row: Pick<StoredRows, 'type' | 'shape'> = { type: 'int64', shape: [0] };
  for (let from = 0; from < count; from += BLOCK_ROWS) {
    const block = labelsOf(from, Math.min(from + BLOCK_ROWS, count));
    writer.append(block.bytes);
    row = block;
  }
  return {
    type: row.type,
    shape: [count, ...row.shape.slice(1)],
    bytes: writer.finish(),
    start: 0,
  };
}

/** Writes one column of some rows into a block of all columns. */
function columnFiller(table: Table, feature: Feature, at: number, width: number) {
  const column = columnOf(table, feature.name);
  assertWhole(column);
  if (column.kind !== feature.kind) {
    throw dataError(
      `Column '${feature.name}' holds ${column.kind === 'number' ? 'numbers' : 'categories'}, but held ${feature.kind === 'number' ? 'numbers' : 'categories'} when the encoding was fitted.`,
    );
  }
  const numberOf = column.kind === 'category' ? positionsIn(column, feature) : undefined;
  return (block: Float32Array, from: number, to: number) => {
    const numbers = blockOf(column, from, to);
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!;
      block[i * width + at] = numberOf === undefined ? number : numberOf(number);
    }
  };
}

/** Maps a table's own codes to positions in the categories of the encoding. */
function positionsIn(
  { categories }: Extract<Column, { kind: 'category' }>,
  feature: Feature,
): (code: number) => number {
  if (feature.kind !== 'category') throw new TypeError('The feature has no categories.');
  const unknown = feature.categories.length;
  const known = new Map(feature.categories.map((name, position) => [name, position]));
  const positions = categories.map((each) => known.get(each) ?? unknown);
  return (code) => positions[code] ?? unknown;
}

/** Reads the labels of the rows [from, to); fast where calls ascend. */
function labelReader(table: Table, target: Target): (from: number, to: number) => NumericTensor {
  const { count } = table;
  const column = columnOf(table, target.name);
  const { name } = target;
  // A column in a file is read in parts: all codes at once are 12 bytes for each row.
  const numberOf = numbersOf(column, count);
  if (target.kind === 'category') {
    const labelOf =
      column.kind === 'number'
        ? (row: number) => String(numberOf(row))
        : (row: number) => column.categories[numberOf(row)] ?? 'NaN';
    return (from, to) =>
      classNumbers(to - from, (row) => labelOf(from + row), target.classes, name, from);
  }
  if (column.kind !== 'number') {
    throw dataError(
      `Column '${name}' must hold numbers to be predicted as one, but holds texts such as '${column.categories[0]}'.`,
    );
  }
  return (from, to) => {
    const numbers = new Float32Array(to - from);
    for (let row = from; row < to; row++) {
      const number = numberOf(row);
      if (Number.isNaN(number)) throw dataError(`Row ${row} has no '${name}' to learn from.`);
      numbers[row - from] = number;
    }
    return tensor('float32', [to - from, 1], numbers);
  };
}
