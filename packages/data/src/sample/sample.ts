/**
 * Statements that take a sample of a table: by the MD5 of the row with a seed, so that it is the same whatever the order of
 * the files and the number of workers. Equal rows have one place in that order.
 */
import { z } from 'zod';
import { identifier } from '../engine/sql-text.ts';
import { numbered, rowsAt } from '../places.ts';
import type { Row } from '../profile/answers.ts';
import { digestOf, placeOf } from '../profile/columns.ts';

export { requireColumns } from '../profile/columns.ts';

export interface SampleChoice {
  /** Columns of the table. */
  readonly columns: readonly string[];
  readonly seed: number;
  /** How much is taken: a number of rows, or a share of all. */
  readonly size: { readonly rows: number } | { readonly share: number };
  /** Column whose values get shares in the sample as in the table; absent: by chance. */
  readonly by?: string | undefined;
}

/** Rows of `data` whose hash is below the share. It is the whole sample, where each row is taken by chance. */
export const byChanceSql = (columns: readonly string[], seed: number, share: number): string =>
  `SELECT ${columns.map((name) => identifier(name)).join(', ')} FROM data WHERE ${placeOf(digestOf(columns, String(seed)))} < ${share}`;

/** Places of the rows of the sample, in `data`. */
export function placesSql({ columns, seed, size, by }: SampleChoice): string {
  const key = `${digestOf(columns, String(seed))}::UUID AS key`;
  const stratum = by === undefined ? [] : [`${identifier(by)} AS stratum`];
  const strata = by === undefined ? '' : 'PARTITION BY stratum';
  // Half a step before its end: of 3 rows, a half is 1 or 2, and never 0 or 3.
  const ranked = `SELECT place, key, (row_number() OVER (${strata} ORDER BY key, place) - 0.5) / count(*) OVER (${strata}) AS rank
    FROM (${numbered([key, ...stratum])})`;
  return 'share' in size
    ? `SELECT place FROM (${ranked}) WHERE rank < ${size.share}`
    : `SELECT place FROM (${ranked}) ORDER BY rank, key, place LIMIT ${size.rows}`;
}

/** The rows of `data` whose places are in `chosen`. */
export const chosenSql = (columns: readonly string[]): string => rowsAt(columns, 'chosen', true);

/** Strata that are shown: the largest. */
const SHOWN = 50;

/** A statement over `data` and the stored `sample`, with one row: how many rows each has. */
export function countsSql({ by }: Pick<SampleChoice, 'by'>): string {
  const counts = '(SELECT count(*) FROM data) AS rows, (SELECT count(*) FROM sample) AS taken';
  if (by === undefined) return `SELECT ${counts}`;
  const union = ['data', 'sample']
    .map(
      (name) =>
        `SELECT '${name}' AS part, left(${identifier(by)}::VARCHAR, 100) AS value FROM ${name}`,
    )
    .join(' UNION ALL ');
  return `SELECT ${counts}, (SELECT list({value: value, rows: n, taken: m} ORDER BY n DESC, value) FROM (
      SELECT value, count(*) FILTER (part = 'data') AS n, count(*) FILTER (part = 'sample') AS m
        FROM (${union}) GROUP BY value ORDER BY n DESC, value LIMIT ${SHOWN})) AS strata`;
}

const Counts = z.object({
  rows: z.number(),
  taken: z.number(),
  strata: z
    .array(z.object({ value: z.string().nullable(), rows: z.number(), taken: z.number() }))
    .nullish()
    .transform((found) => found ?? undefined),
});
export type Counts = z.infer<typeof Counts>;

export const readCounts = (row: Row): Counts => Counts.parse(row);
