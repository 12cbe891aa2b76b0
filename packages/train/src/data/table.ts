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

export type ColumnKind = 'number' | 'category';

export type Column =
  | { readonly name: string; readonly kind: 'number'; readonly values: Float64Array }
  | {
      readonly name: string;
      readonly kind: 'category';
      /** Positions in `categories`. */
      readonly codes: Int32Array;
      /** In the order in which they first occurred. */
      readonly categories: readonly string[];
    };

export interface Table {
  /** Rows, at least 1. */
  readonly count: number;
  readonly columns: readonly Column[];
}

export interface CsvTableOptions extends CsvOptions {
  /** Names of the columns, for a file whose first record is data; default: the first record names them. */
  readonly names?: readonly string[];
  /** Types of columns whose first value would mislead, such as numeric codes that are categories. */
  readonly kinds?: Readonly<Record<string, ColumnKind>>;
}

/** @throws TrainError `data` for an empty or ragged table or a value that does not fit its column, naming line and column. */
export async function readCsv(source: ByteSource, options: CsvTableOptions = {}): Promise<Table> {
  const { names, kinds = {} } = options;
  let builder = names === undefined ? undefined : tableBuilder(names, kinds);
  for await (const { line, fields } of csvRecords(source, options)) {
    if (builder === undefined) builder = tableBuilder(fields, kinds);
    else builder.add(line, fields);
  }
  return finish(builder);
}

/** @throws TrainError `data` as `readCsv` does; the first object names the columns, and every other has the same. */
export async function readJsonLines(
  source: ByteSource,
  { kinds = {} }: Pick<CsvTableOptions, 'kinds'> = {},
): Promise<Table> {
  let builder: TableBuilder | undefined;
  let names: readonly string[] = [];
  for await (const { line, record } of jsonRecords(source)) {
    if (builder === undefined) builder = tableBuilder((names = Object.keys(record)), kinds);
    const extra = Object.keys(record).find((name) => !names.includes(name));
    if (extra !== undefined) throw flaw(line, extra, 'is not in the first record');
    builder.add(
      line,
      names.map((name) => {
        if (!(name in record)) throw flaw(line, name, 'is missing');
        return record[name];
      }),
    );
  }
  return finish(builder);
}

/** The column of that name. @throws TrainError `data`, listing the columns that there are. */
export function columnOf(table: Table, name: string): Column {
  const found = table.columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = table.columns.map((column) => `'${column.name}'`).join(', ');
  throw new TrainError('data', `There is no column '${name}', only ${names}.`);
}

interface TableBuilder {
  add(line: number, values: readonly unknown[]): void;
  finish(): Table;
}

function tableBuilder(
  names: readonly string[],
  kinds: Readonly<Record<string, ColumnKind>>,
): TableBuilder {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new TrainError('data', `Two columns are named '${twice}'.`);
  const unknown = Object.keys(kinds).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new TrainError('data', `There is no column '${unknown}' whose type could be declared.`);
  }
  const columns: (ColumnBuilder | undefined)[] = names.map((name) =>
    kinds[name] === undefined ? undefined : columnBuilder(name, kinds[name]),
  );
  let count = 0;
  return {
    add(line, values) {
      if (values.length !== names.length) {
        throw new TrainError(
          'data',
          `Line ${line} has ${values.length} fields, but there are ${names.length} columns.`,
        );
      }
      values.forEach((value, i) => {
        const column = (columns[i] ??= columnBuilder(
          names[i]!,
          asNumber(value) === undefined ? 'category' : 'number',
        ));
        column.add(line, value);
      });
      count++;
    },
    finish() {
      if (count === 0) throw new TrainError('data', 'The table has no rows.');
      return { count, columns: columns.map((column) => column!.finish()) };
    },
  };
}

function finish(builder: TableBuilder | undefined): Table {
  if (builder === undefined) throw new TrainError('data', 'The table has no rows.');
  return builder.finish();
}

interface ColumnBuilder {
  add(line: number, value: unknown): void;
  finish(): Column;
}

function columnBuilder(name: string, kind: ColumnKind): ColumnBuilder {
  let length = 0;
  if (kind === 'number') {
    let values = new Float64Array(64);
    return {
      add(line, value) {
        const number = asNumber(value);
        if (number === undefined) {
          throw flaw(line, name, `is '${String(value)}', but the column holds numbers`);
        }
        if (length === values.length) values = grown(values, new Float64Array(length * 2));
        values[length++] = number;
      },
      finish: () => ({ name, kind, values: values.slice(0, length) }),
    };
  }
  let codes = new Int32Array(64);
  const known = new Map<string, number>();
  return {
    add(line, value) {
      const scalar = typeof value === 'number' || typeof value === 'boolean';
      if (!scalar && typeof value !== 'string') {
        throw flaw(line, name, `is ${JSON.stringify(value)}, but must be a text or a number`);
      }
      const text = String(value);
      if (text === '') throw flaw(line, name, 'is empty');
      if (length === codes.length) codes = grown(codes, new Int32Array(length * 2));
      let code = known.get(text);
      if (code === undefined) known.set(text, (code = known.size));
      codes[length++] = code;
    },
    finish: () => ({ name, kind, codes: codes.slice(0, length), categories: [...known.keys()] }),
  };
}

function grown<A extends Float64Array | Int32Array>(old: A, larger: A): A {
  larger.set(old);
  return larger;
}

/** `undefined` for what is no finite number; `Number('')` would be 0. */
function asNumber(value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === ''))
    return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function flaw(line: number, column: string, what: string): TrainError {
  return new TrainError('data', `Line ${line}: '${column}' ${what}.`);
}
