/**
 * Builds a table row by row. The type of a column is declared, or decided by its first value. A
 * later value that does not fit is an error that names line and column.
 */
import { defined } from '@skein/api/defined';
import { dataError, MissingValue, type TrainError } from '../../train-error.ts';
import {
  categoryColumn,
  MOST_TEXTS,
  numberColumn,
  type Column,
  type ColumnKind,
} from './column.ts';
import { columnSink, type NumberColumn } from './column-sink.ts';
import type { DecimalCommas } from './decimal-commas.ts';
import type { Table, TableOptions } from './table.ts';

export interface TableBuilder {
  /** @param line for messages, counted from 1. */
  add(line: number, values: readonly unknown[]): void;
  finish(): Table;
}

/** Rows between two reports: some hundredths of a second. */
const REPORTED_ROWS = 8192;

export function tableBuilder(
  names: readonly string[],
  {
    kinds = {},
    categories = {},
    missing = 'refuse',
    wanted,
    decimals,
    store,
    onRows,
  }: TableOptions,
): TableBuilder {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw dataError(`Two columns are named '${twice}'.`);
  const unknown = Object.keys(kinds).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw dataError(`There is no column '${unknown}' whose type could be declared.`);
  }
  const listed = names.map((name) =>
    Object.hasOwn(categories, name) ? new Set(categories[name]) : undefined,
  );
  const columns: (ColumnBuilder | undefined)[] = names.map((name, i) => {
    // A column may have the name of a property that every object inherits, such as `constructor`.
    const declared = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    const kind = listed[i] === undefined ? declared : 'category';
    return kind === undefined ? undefined : columnBuilder(name, kind, decimals);
  });
  const isWanted = names.map((name) => wanted?.includes(name) ?? true);
  /** Places in a stored row; a column that is not wanted has none. */
  const places = isWanted.map((is, i) => (is ? isWanted.slice(0, i).filter(Boolean).length : -1));
  const width = isWanted.filter(Boolean).length;
  const sink = columnSink(width, store);
  const row = new Float64Array(width);
  const missingTexts = new Map<string, string>();
  let count = 0;
  return {
    add(line, values) {
      if (values.length !== names.length) {
        throw dataError(
          `Line ${line} has ${values.length} fields, but there are ${names.length} columns.`,
        );
      }
      for (let i = 0; i < values.length; i++) {
        const place = places[i]!;
        if (place < 0) continue;
        row[place] = NaN;
        const texts = listed[i];
        const value = texts === undefined ? values[i] : asListed(values[i], texts);
        const isText = typeof value === 'string' && value !== '' && texts?.has(value) === true;
        if (missing === 'keep' && !isText && isMissing(value)) {
          const isWord = typeof value === 'string' && value.trim() !== '';
          if (isWord && !missingTexts.has(names[i]!)) {
            missingTexts.set(names[i]!, `line ${line} has ${given(value)}`);
          }
          continue;
        }
        // The first value that is present decides the type of the column.
        columns[i] ??= columnBuilder(
          names[i]!,
          isNumber(value, decimals) ? 'number' : 'category',
          decimals,
        );
        row[place] = columns[i]!.numberOf(line, value);
      }
      sink.push(row);
      count++;
      if (count % REPORTED_ROWS === 0) onRows?.(count);
    },
    finish() {
      if (count === 0) throw dataError('The table has no rows.');
      const empty = columns.findIndex((column) => column === undefined);
      if (empty >= 0 && wanted === undefined) {
        throw dataError(`Column '${names[empty]}' has no value in any row.`);
      }
      const found = sink.finish();
      const finished = columns.map((column, i) => {
        const typed = column ?? columnBuilder(names[i]!, 'number');
        const numbers = found.columns[places[i]!] ?? NOTHING;
        return typed.finish(numbers, count, found.stored);
      });
      const { stored, release } = found;
      return {
        count,
        columns: finished,
        ...(missingTexts.size === 0 ? {} : { missingTexts }),
        ...(stored ? { store: store!, ...defined({ release }) } : {}),
      };
    },
  };
}

/** A column that is not wanted: all of its values are missing. */
const NOTHING: NumberColumn = {
  read: (from, to, into = new Float64Array(to - from)) => into.subarray(0, to - from).fill(NaN),
};

interface ColumnBuilder {
  /** The value as a number: of a text its code. */
  numberOf(line: number, value: unknown): number;
  finish(numbers: NumberColumn, count: number, stored: boolean): Column;
}

function columnBuilder(name: string, kind: ColumnKind, decimals?: DecimalCommas): ColumnBuilder {
  if (kind === 'number') {
    const read = decimals?.column();
    return {
      numberOf(line, value) {
        const number =
          read === undefined || typeof value !== 'string' ? asNumber(value) : read(value);
        if (number === 'mixed') {
          throw flaw(line, name, `is ${given(value)}, but others have the other decimal mark`);
        }
        if (number !== undefined) return number;
        if (isMissing(value)) throw missingValue(line, name, value);
        throw flaw(line, name, `is ${given(value)}, but the column holds numbers`);
      },
      finish: (numbers, count, stored) => numberColumn(name, numbers, count, stored),
    };
  }
  const known = new Map<string, number>();
  let isCut = false;
  return {
    numberOf(line, value) {
      if (value === null || value === undefined || value === '') {
        throw missingValue(line, name, value);
      }
      const scalar = typeof value === 'number' || typeof value === 'boolean';
      if (!scalar && typeof value !== 'string') {
        throw flaw(line, name, `is ${JSON.stringify(value)}, but must be a text or a number`);
      }
      const text = String(value);
      const code = known.get(text);
      if (code !== undefined) return code;
      if (known.size === MOST_TEXTS) {
        isCut = true;
        return NaN;
      }
      known.set(text, known.size);
      return known.size - 1;
    },
    finish: (numbers, count, stored) =>
      categoryColumn(
        { name, categories: [...known.keys()], ...(isCut ? { isCut } : {}) },
        numbers,
        count,
        stored,
      ),
  };
}

function isNumber(value: unknown, decimals: DecimalCommas | undefined): boolean {
  if (decimals === undefined || typeof value !== 'string') return asNumber(value) !== undefined;
  return decimals.column()(value) !== undefined;
}

/** `undefined` for a text that is not a finite number; `Number('')` would be 0. */
function asNumber(value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === ''))
    return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** The known text that a value is, as it stands or as a number; else the value. */
function asListed(value: unknown, listed: ReadonlySet<string>): unknown {
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  const text = scalar ? String(value) : value;
  if (typeof text !== 'string' || listed.has(text)) return text;
  const number = String(asNumber(value));
  return listed.has(number) ? number : value;
}

/** Texts that tables write for a missing value. */
const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?']);

function isMissing(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === 'number') return Number.isNaN(value);
  return typeof value === 'string' && MISSING.has(value.trim().toLowerCase());
}

export function missingValue(line: number, column: string, value?: unknown): MissingValue {
  const absent = value === '' || value === null || value === undefined;
  return new MissingValue(
    `Line ${line}: '${column}' is missing${absent ? '' : ` (${given(value)})`}.`,
  );
}

function given(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  // JSON has neither NaN nor Infinity.
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

export function flaw(line: number, column: string, what: string): TrainError {
  return dataError(`Line ${line}: '${column}' ${what}.`);
}
