/** Statements that find all rows but one of each group: equal rows, or rows with equal values in some columns. */
import { SkeinError } from '@skein/api/errors';
import { identifier } from '../engine/sql-text.ts';
import { numbered, rowsAt } from '../places.ts';
import { hashesOf, requireColumns } from '../profile/columns.ts';

export interface Order {
  readonly column: string;
  /** The greatest value is the first. */
  readonly descends: boolean;
}

/** @param given `day`, `day desc` or `day asc`. @throws SkeinError REQUEST_INVALID. */
export function readOrder(columns: readonly string[], given: string): Order {
  if (columns.includes(given)) return { column: given, descends: false };
  const [, column = given, direction] = /^(.*) (asc|desc)$/is.exec(given) ?? [];
  requireColumns(columns, [column]);
  return { column, descends: direction?.toLowerCase() === 'desc' };
}

/** Places of rows of `data` that are not the first of those with equal values in some columns. */
export function repeatsSql(by: readonly string[], order: readonly Order[]): string {
  const keys = hashesOf(by).map((hash, at) => `${hash} AS key${at}`);
  return laterSql(numbered([...keys, ...orderValues(order)]), 'key0, key1', order);
}

/** Places of all rows but the first one with equal keys. */
export const laterSql = (rows: string, keys: string, order: readonly Order[]): string =>
  `SELECT place FROM (SELECT place, row_number() OVER (PARTITION BY ${keys} ORDER BY ${[
    // Missing values are the last, in either direction.
    ...order.map(({ descends }, at) => `order${at}${descends ? ' DESC' : ''} NULLS LAST`),
    'place',
  ].join(', ')}) AS nth FROM (${rows})) WHERE nth > 1`;

export const orderValues = (order: readonly Order[]): string[] =>
  order.map(({ column }, at) => `${identifier(column)} AS order${at}`);

/** The rows of `data` whose places are not in `removed`. */
export const remainingSql = (columns: readonly string[]): string =>
  rowsAt(columns, 'removed', false);

/** A statement over `data` and `removed` with one row. */
export const REMOVED_SQL =
  'SELECT (SELECT count(*) FROM data) AS rows, (SELECT count(*) FROM removed) AS removed';

/** @throws SkeinError REQUEST_INVALID for a column of another type than text. */
export function requireText(types: Readonly<Record<string, string>>, column: string): void {
  requireColumns(Object.keys(types), [column]);
  if (types[column] === 'VARCHAR') return;
  throw new SkeinError(
    'REQUEST_INVALID',
    `The column ${JSON.stringify(column)} is ${types[column]}, and texts are compared: --column ${column}=VARCHAR reads it as text.`,
  );
}
