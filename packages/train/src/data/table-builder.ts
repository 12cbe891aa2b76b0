/**
 * Builds a table row by row. A column's type is declared, or told by its first value; a later value
 * that does not fit is an error that names line and column.
 */
import { TrainError } from '../train-error.ts';
import type { Column, ColumnKind, Table, TableOptions } from './table.ts';

export interface TableBuilder {
  /** @param line for messages, counted from 1. */
  add(line: number, values: readonly unknown[]): void;
  finish(): Table;
}

export function tableBuilder(
  names: readonly string[],
  { kinds = {}, missing = 'refuse' }: TableOptions,
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
        const absent = missing === 'keep' && isMissing(value);
        if (columns[i] === undefined) {
          // What the column holds is told by the first value that is there.
          if (absent) return;
          const kind = asNumber(value) === undefined ? 'category' : 'number';
          columns[i] = columnBuilder(names[i]!, kind);
        }
        const column = columns[i];
        while (column.length() < count) column.skip();
        if (absent) column.skip();
        else column.add(line, value);
      });
      count++;
    },
    finish() {
      if (count === 0) throw new TrainError('data', 'The table has no rows.');
      const finished = columns.map((column, i) => {
        if (column === undefined) {
          throw new TrainError('data', `Column '${names[i]}' has no value in any row.`);
        }
        while (column.length() < count) column.skip();
        return column.finish();
      });
      return { count, columns: finished };
    },
  };
}

interface ColumnBuilder {
  add(line: number, value: unknown): void;
  /** Leaves the next row's value out. */
  skip(): void;
  length(): number;
  finish(): Column;
}

function columnBuilder(name: string, kind: ColumnKind): ColumnBuilder {
  let length = 0;
  if (kind === 'number') {
    let values = new Float64Array(64);
    const push = (number: number) => {
      if (length === values.length) values = grown(values, new Float64Array(length * 2));
      values[length++] = number;
    };
    return {
      add(line, value) {
        const number = asNumber(value);
        if (number !== undefined) return push(number);
        if (isMissing(value)) throw flaw(line, name, absence(value));
        throw flaw(line, name, `is ${given(value)}, but the column holds numbers`);
      },
      skip: () => push(NaN),
      length: () => length,
      finish: () => ({ name, kind, values: values.slice(0, length) }),
    };
  }
  let codes = new Int32Array(64);
  const known = new Map<string, number>();
  const push = (code: number) => {
    if (length === codes.length) codes = grown(codes, new Int32Array(length * 2));
    codes[length++] = code;
  };
  return {
    add(line, value) {
      if (value === null || value === undefined || value === '') {
        throw flaw(line, name, absence(value));
      }
      const scalar = typeof value === 'number' || typeof value === 'boolean';
      if (!scalar && typeof value !== 'string') {
        throw flaw(line, name, `is ${JSON.stringify(value)}, but must be a text or a number`);
      }
      const text = String(value);
      let code = known.get(text);
      if (code === undefined) known.set(text, (code = known.size));
      push(code);
    },
    skip: () => push(-1),
    length: () => length,
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

/** What tables write for a value that nobody knows. */
const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?']);

function isMissing(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === 'number') return Number.isNaN(value);
  return typeof value === 'string' && MISSING.has(value.trim().toLowerCase());
}

function absence(value: unknown): string {
  return value === '' || value === null || value === undefined
    ? 'is missing'
    : `is missing (${given(value)})`;
}

function given(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

export function flaw(line: number, column: string, what: string): TrainError {
  return new TrainError('data', `Line ${line}: '${column}' ${what}.`);
}
