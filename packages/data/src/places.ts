/**
 * Rows by their places: DuckDB numbers the rows of `data` as it reads them, in the order of the files. Statements choose places,
 * which are narrow and spill; then the rows pass by once more, one after the other, however wide they are.
 */
import { identifier } from './engine/sql-text.ts';
import { freeName } from './profile/columns.ts';

/** A query for expressions over the columns of `data`, and the place of each row. */
export const numbered = (expressions: readonly string[], place = 'place'): string =>
  `SELECT ${[...expressions, `row_number() OVER () AS ${place}`].join(', ')} FROM data`;

/**
 * Whether a value is in the column of a table. DuckDB reads the table first, and the other rows pass by; of a plain IN or a
 * semi join it may hold the other rows, which are wide, and change their order.
 */
export const isAmong = (value: string, column: string): string =>
  `coalesce(${value} IN (${column}), false)`;

/** The rows of `data` whose places the table has, or has not, in their order. */
export function rowsAt(columns: readonly string[], table: string, isIn: boolean): string {
  const all = columns.map((name) => identifier(name));
  const place = freeName('place', columns);
  const among = isAmong(place, `SELECT place FROM ${table}`);
  return `SELECT ${all.join(', ')} FROM (${numbered(all, place)}) WHERE ${isIn ? '' : 'NOT '}${among}`;
}
