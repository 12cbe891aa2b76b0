/** A typed column of a table: in memory, or in a file and read anew each time that somebody looks at it. */
import type { NumberColumn } from './column-sink.ts';

export type ColumnKind = 'number' | 'category';

export type Column = NumericColumn | CategoryColumn;

interface NumericColumn {
  readonly name: string;
  readonly kind: 'number';
  /** NaN where a value is missing, if those are kept. */
  readonly values: Float64Array;
  /** Rows `from` up to, without, `to`, where not all are in memory. */
  readonly block?: (from: number, to: number) => Float64Array;
}

interface CategoryColumn {
  readonly name: string;
  readonly kind: 'category';
  /** Positions in `categories`; −1 where a value is missing, if those are kept. */
  readonly codes: Int32Array;
  readonly block?: (from: number, to: number) => Int32Array;
  /** In the order in which they first occurred. */
  readonly categories: readonly string[];
}

/** A column of what was read: in memory, or read anew each time. */
export function numberColumn(
  name: string,
  numbers: NumberColumn,
  count: number,
  stored: boolean,
): Column {
  if (!stored) return { name, kind: 'number', values: numbers.read(0, count) };
  const block = (from: number, to: number) => numbers.read(from, to);
  return {
    name,
    kind: 'number',
    block,
    get values() {
      return block(0, count);
    },
  };
}

export function categoryColumn(
  { name, categories }: Pick<CategoryColumn, 'name' | 'categories'>,
  numbers: NumberColumn,
  count: number,
  stored: boolean,
): Column {
  const block = (from: number, to: number) =>
    Int32Array.from(numbers.read(from, to), (code) => (Number.isNaN(code) ? -1 : code));
  if (!stored) return { name, kind: 'category', codes: block(0, count), categories };
  return {
    name,
    kind: 'category',
    block,
    categories,
    get codes() {
      return block(0, count);
    },
  };
}

/** A few rows of a column, without the others. */
export function blockOf(column: Column, from: number, to: number): Float64Array | Int32Array {
  if (column.block !== undefined) return column.block(from, to);
  return (column.kind === 'number' ? column.values : column.codes).subarray(from, to);
}
