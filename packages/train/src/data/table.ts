/**
 * A table with typed columns, in memory: numbers as float64, text as codes into its categories. That
 * is the compact form; the text that it is read from is streamed and never whole in memory.
 *
 * A column's type is declared, or decided by its first value. A later value that does not fit is an
 * error that names the line, rather than a silent change of what the column means.
 */
import { TrainError } from '../train-error.ts';
import type { ByteSource } from './bytes.ts';
import { csvRecords, type CsvOptions } from './csv.ts';
import { jsonRecords } from './jsonl.ts';
import { flaw, tableBuilder, type TableBuilder } from './table-builder.ts';

export type ColumnKind = 'number' | 'category';

export type Column =
  | {
      readonly name: string;
      readonly kind: 'number';
      /** NaN where a value is missing, if those are kept. */
      readonly values: Float64Array;
    }
  | {
      readonly name: string;
      readonly kind: 'category';
      /** Positions in `categories`; −1 where a value is missing, if those are kept. */
      readonly codes: Int32Array;
      /** In the order in which they first occurred. */
      readonly categories: readonly string[];
    };

export interface Table {
  /** Rows, at least 1. */
  readonly count: number;
  readonly columns: readonly Column[];
}

export interface TableOptions {
  /** Types of columns whose first value would mislead, such as numeric codes that are categories. */
  readonly kinds?: Readonly<Record<string, ColumnKind>>;
  /** `keep`: an empty field, `NA`, `NaN`, `null` or `?` is a missing value, not a mistake. Default `refuse`. */
  readonly missing?: 'refuse' | 'keep';
}

export interface CsvTableOptions extends CsvOptions, TableOptions {
  /** Names of the columns, for a file whose first record is data; default: the first record names them. */
  readonly names?: readonly string[];
}

/** @throws TrainError `data` for an empty or ragged table or a value that does not fit its column, naming line and column. */
export async function readCsv(source: ByteSource, options: CsvTableOptions = {}): Promise<Table> {
  const { names } = options;
  let builder = names === undefined ? undefined : tableBuilder(names, options);
  for await (const { line, fields } of csvRecords(source, options)) {
    if (builder === undefined) builder = tableBuilder(fields, options);
    else builder.add(line, fields);
  }
  return finish(builder);
}

/** @throws TrainError `data` as `readCsv` does; the first object names the columns, and every other has the same. */
export async function readJsonLines(
  source: ByteSource,
  options: TableOptions = {},
): Promise<Table> {
  let builder: TableBuilder | undefined;
  let names: readonly string[] = [];
  for await (const { line, record } of jsonRecords(source)) {
    if (builder === undefined) builder = tableBuilder((names = Object.keys(record)), options);
    const extra = Object.keys(record).find((name) => !names.includes(name));
    if (extra !== undefined) throw flaw(line, extra, 'is not in the first record');
    builder.add(
      line,
      names.map((name) => {
        if (!(name in record) && options.missing !== 'keep') throw flaw(line, name, 'is missing');
        return record[name];
      }),
    );
  }
  return finish(builder);
}

/** Some rows of a table, in the order given. */
export function selectTableRows(table: Table, rows: ArrayLike<number>): Table {
  if (rows.length === 0) throw new TrainError('data', 'The table has no rows.');
  const columns = table.columns.map((column): Column => {
    if (column.kind === 'number') {
      return { ...column, values: Float64Array.from(rows, (row) => column.values[row]!) };
    }
    return { ...column, codes: Int32Array.from(rows, (row) => column.codes[row]!) };
  });
  return { count: rows.length, columns };
}

/** The rows in which none of the columns has a missing value. */
export function completeRows(table: Table, names: readonly string[]): Uint32Array {
  const columns = names.map((name) => columnOf(table, name));
  const rows = Uint32Array.from({ length: table.count }, (_, row) => row);
  return rows.filter((row) =>
    columns.every((column) =>
      column.kind === 'number' ? !Number.isNaN(column.values[row]) : column.codes[row]! >= 0,
    ),
  );
}

/** The column of that name. @throws TrainError `data`, listing the columns that there are. */
export function columnOf(table: Table, name: string): Column {
  const found = table.columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = table.columns.map((column) => `'${column.name}'`).join(', ');
  throw new TrainError('data', `There is no column '${name}', only ${names}.`);
}

function finish(builder: TableBuilder | undefined): Table {
  if (builder === undefined) throw new TrainError('data', 'The table has no rows.');
  return builder.finish();
}
