/** Columns of a table, as statements about their values see them. */
import { SkeinError } from '@skein/api/errors';
import { identifier } from '../engine/sql-text.ts';

export interface Column {
  readonly name: string;
  /** DuckDB's type. */
  readonly type: string;
}

/** A statement that answers with the columns of `data`, in their order. */
export const COLUMNS_SQL = 'SELECT column_name AS name, column_type AS type FROM (DESCRIBE data)';

export type Kind = 'number' | 'time' | 'truth' | 'text';

const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\b.*|BIGNUM)$/;
const TIME = /^(DATE|TIMESTAMP\b.*)$/;

/** The kind of a type; lists, structs and all others are texts. */
export function kindOf(type: string): Kind {
  if (NUMBER.test(type)) return 'number';
  if (TIME.test(type)) return 'time';
  return type === 'BOOLEAN' ? 'truth' : 'text';
}

/** The variance of larger numbers is not a double. */
const LARGEST = 1e150;

/** The value as a double: absent if it is not finite, or too large to be squared. */
export function numberOf({ name, type }: Column): string {
  const value = identifier(name);
  if (kindOf(type) === 'time') return `CASE WHEN isfinite(${value}) THEN epoch(${value}) END`;
  return `CASE WHEN abs(${value}::DOUBLE) < ${LARGEST} THEN ${value}::DOUBLE END`;
}

/** Characters of a value that are compared and shown. */
const SHOWN_LENGTH = 100;

/** The beginning of the value as a text. */
export const textOf = ({ name }: Column): string =>
  `left(${identifier(name)}::VARCHAR, ${SHOWN_LENGTH})`;

/** The 128 bits of MD5 of values, in hex: the same in every version of DuckDB. A missing value is a value. */
export function digestOf(names: readonly string[], salt = ''): string {
  const values = names.map((name) => `coalesce(to_json(${identifier(name)})::VARCHAR, 'null')`);
  return `md5(concat_ws(',', '${salt.replaceAll("'", "''")}', ${values.join(', ')}))`;
}

/** Two hashes of values, 128 bits, for comparisons inside one statement: MD5 of their texts takes far longer. */
export function hashesOf(names: readonly string[]): readonly [string, string] {
  const values = names.map(identifier);
  // Another order mixes the bits in another way.
  return [`hash(${values.join(', ')})`, `hash('', ${values.toReversed().join(', ')})`];
}

/** Two numbers of 52 bits are a double without loss. */
const PLACE_BITS = 52;

/** A digest as a number from 0 to 1. */
export const placeOf = (digest: string): string =>
  `(('0x' || left(${digest}, ${PLACE_BITS / 4}))::UBIGINT / ${2 ** PLACE_BITS})`;

/** @throws SkeinError REQUEST_INVALID for a column that the table lacks. */
export function requireColumns(columns: readonly string[], wanted: readonly string[]): void {
  for (const name of wanted) {
    if (columns.includes(name)) continue;
    throw new SkeinError(
      'REQUEST_INVALID',
      `The table has no column ${JSON.stringify(name)}; it has ${columns.join(', ')}.`,
    );
  }
}

/** A name that no column has. */
export function freeName(name: string, columns: readonly string[]): string {
  const taken = new Set(columns.map((column) => column.toLowerCase()));
  let free = name;
  while (taken.has(free)) free += '_';
  return free;
}
