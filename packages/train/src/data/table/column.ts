/** A typed column of a table: in memory, or in a file that is read again for each pass. */
import { dataError } from '../../train-error.ts';
import type { NumberColumn } from './column-sink.ts';

export type ColumnKind = 'number' | 'category';

export type Column = NumericColumn | CategoryColumn;

interface NumericColumn {
  readonly name: string;
  readonly kind: 'number';
  /** NaN where a value is missing, if those are kept. */
  readonly values: Float64Array;
  /**
   * Rows in [from, to), at most `BLOCK_ROWS`, in memory that is reused for the next call; absent:
   * all rows are in memory.
   */
  readonly block?: (from: number, to: number) => Float64Array;
}

interface CategoryColumn {
  readonly name: string;
  readonly kind: 'category';
  /** Positions in `categories`; −1 where a value is missing, if those are kept. */
  readonly codes: Int32Array;
  readonly block?: (from: number, to: number) => Int32Array;
  /** In the order of their first occurrence. */
  readonly categories: readonly string[];
  /** There are more than `MOST_TEXTS`; the others count as missing. */
  readonly isCut?: true;
}

/** Different texts of a column that are kept, about 100 bytes each. A Map of JavaScript has no more than 2^24. */
export const MOST_TEXTS = 1_000_000;

/** @throws TrainError `data` for a column with more texts than are kept. */
export function assertWhole(column: Column): void {
  if (column.kind === 'number' || column.isCut !== true) return;
  throw dataError(
    `Column '${column.name}' has more than ${MOST_TEXTS} different texts, such as '${column.categories[0]}': make fewer of them, or numbers, before the training, such as the hour of a time.`,
  );
}

/** Rows of a column that are read together. */
export const BLOCK_ROWS = 4096;

/** A column that was read: in memory, or read again for each pass. */
export function numberColumn(
  name: string,
  numbers: NumberColumn,
  count: number,
  stored: boolean,
): Column {
  if (!stored) return { name, kind: 'number', values: numbers.read(0, count) };
  const memory = new Float64Array(Math.min(count, BLOCK_ROWS));
  return {
    name,
    kind: 'number',
    block: (from, to) => numbers.read(from, to, memory),
    get values() {
      return numbers.read(0, count);
    },
  };
}

export function categoryColumn(
  { name, categories, isCut }: Pick<CategoryColumn, 'name' | 'categories' | 'isCut'>,
  numbers: NumberColumn,
  count: number,
  stored: boolean,
): Column {
  const codesOf = (read: Float64Array, into: Int32Array) => {
    for (let i = 0; i < read.length; i++) into[i] = Number.isNaN(read[i]) ? -1 : read[i]!;
    return into.subarray(0, read.length);
  };
  const all = () => codesOf(numbers.read(0, count), new Int32Array(count));
  const texts = { categories, ...(isCut === undefined ? {} : { isCut }) };
  if (!stored) return { name, kind: 'category', codes: all(), ...texts };
  const memory = new Float64Array(Math.min(count, BLOCK_ROWS));
  const codes = new Int32Array(memory.length);
  return {
    name,
    kind: 'category',
    block: (from, to) => codesOf(numbers.read(from, to, memory), codes),
    ...texts,
    get codes() {
      return all();
    },
  };
}

/** A few rows of one column. When the column is in a file, they are valid until the next call. */
export function blockOf(column: Column, from: number, to: number): Float64Array | Int32Array {
  if (column.block !== undefined) return column.block(from, to);
  return (column.kind === 'number' ? column.values : column.codes).subarray(from, to);
}

/** Reads a column row by row; fast when the row numbers ascend. */
export function numbersOf(column: Column, count: number): (row: number) => number {
  if (column.block === undefined) {
    const whole = column.kind === 'number' ? column.values : column.codes;
    return (row) => whole[row]!;
  }
  const { block } = column;
  let from = 0;
  let numbers: Float64Array | Int32Array = new Int32Array(0);
  return (row) => {
    if (row < from || row >= from + numbers.length) {
      from = row;
      numbers = block(from, Math.min(from + BLOCK_ROWS, count));
    }
    return numbers[row - from]!;
  };
}
