/**
 * A table with typed columns: numbers as float64, text as codes into its categories. With a store
 * for data larger than memory the columns are not whole in memory; a column is then read again for
 * each pass.
 */
import { defined } from '@skein/api/defined';
import { dataError } from '../../train-error.ts';
import {
  BLOCK_ROWS,
  blockOf,
  categoryColumn,
  numberColumn,
  numbersOf,
  type Column,
  type ColumnKind,
} from './column.ts';
import { storedColumns } from './column-sink.ts';
import type { RowStore } from '../rows/stored.ts';
import type { DecimalCommas } from './decimal-commas.ts';

export interface Table {
  /** Rows, at least 1. */
  readonly count: number;
  readonly columns: readonly Column[];
  /** How the text was written, in words, where that was detected and is not the usual. */
  readonly format?: string;
  /** By column: the first text that stands for a missing value, such as `line 5 has 'none'`; empty fields are not among them. */
  readonly missingTexts?: ReadonlyMap<string, string>;
  /** Where the columns are stored, and where derived data go; absent: in memory. */
  readonly store?: RowStore;
  /** Frees the space of stored columns; they cannot be read after that. */
  readonly release?: () => void;
}

export interface TableOptions {
  /** Types of columns whose first value would mislead, such as numeric codes that are categories. */
  readonly kinds?: Readonly<Record<string, ColumnKind>>;
  /**
   * Columns whose texts are known: each value is one of them as it stands, such as the code `01`, or a `none`
   * that would be a missing value elsewhere, or else the number that one of them is. A table may lack such a column.
   */
  readonly categories?: Readonly<Record<string, readonly string[]>>;
  /**
   * `keep`: an empty field, `NA`, `N/A`, `NaN`, `null`, `None` or `?` is a missing value, not an error. Default
   * `refuse`.
   */
  readonly missing?: 'refuse' | 'keep';
  /**
   * Columns that are read; of the others only the names are, and each of their values is missing. A column without any
   * value is then one of numbers. Default: all columns, and one without any value is an error.
   */
  readonly wanted?: readonly string[];
  /** Reads numbers with decimal commas; default: numbers have points. */
  readonly decimals?: DecimalCommas | undefined;
  /** Store for a table that is larger than memory; default: the table is in memory, however large. */
  readonly store?: RowStore;
  /** Called now and then with the rows that are read. */
  readonly onRows?: ((rows: number) => void) | undefined;
}

/** Some rows of a table, in the order given. */
export function selectTableRows(table: Table, rows: ArrayLike<number>): Table {
  if (rows.length === 0) throw dataError('The table has no rows.');
  const { store } = table;
  if (store !== undefined) return selectStored(table, rows, store);
  const columns = table.columns.map((column): Column => {
    if (column.kind === 'number') {
      return { ...column, values: Float64Array.from(rows, (row) => column.values[row]!) };
    }
    return { ...column, codes: Int32Array.from(rows, (row) => column.codes[row]!) };
  });
  return { count: rows.length, columns };
}

/** Fast where rows ascend: then each block is read once. */
function selectStored(table: Table, rows: ArrayLike<number>, store: RowStore): Table {
  const sink = storedColumns(table.columns.length, store);
  const numbers = new Float64Array(table.columns.length);
  let from = -1;
  let blocks: readonly (Float64Array | Int32Array)[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (from < 0 || row < from || row >= from + BLOCK_ROWS) {
      from = row;
      const to = Math.min(from + BLOCK_ROWS, table.count);
      blocks = table.columns.map((column) => blockOf(column, from, to));
    }
    blocks.forEach((block, at) => {
      const number = block[row - from]!;
      numbers[at] = block instanceof Int32Array && number < 0 ? NaN : number;
    });
    sink.push(numbers);
  }
  const { columns, release } = sink.finish();
  return {
    count: rows.length,
    store,
    ...defined({ release }),
    columns: table.columns.map((column, at) =>
      column.kind === 'number'
        ? numberColumn(column.name, columns[at]!, rows.length, true)
        : categoryColumn(column, columns[at]!, rows.length, true),
    ),
  };
}

/** The rows in which none of the columns has a missing value. */
export function completeRows(table: Table, names: readonly string[]): Uint32Array {
  const incomplete = new Uint8Array(table.count);
  for (const name of names) {
    const column = columnOf(table, name);
    const numberOf = numbersOf(column, table.count);
    for (let row = 0; row < table.count; row++) {
      const number = numberOf(row);
      if (column.kind === 'number' ? Number.isNaN(number) : number < 0) incomplete[row] = 1;
    }
  }
  return Uint32Array.from({ length: table.count }, (_, row) => row).filter(
    (row) => incomplete[row] === 0,
  );
}

/** The column of that name. @throws TrainError `data`, listing the existing columns. */
export function columnOf(table: Table, name: string): Column {
  const found = table.columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = table.columns.map((column) => `'${column.name}'`).join(', ');
  throw dataError(`There is no column '${name}', only ${names}.`);
}
