/**
 * Statements that find texts which are nearly equal.
 *
 *     repeats ──► bands ──► buckets ──► candidates ──► texts ──► pairs ──► stars, until they are stars ──► removed
 *
 * Texts share a bucket where one of their bands is equal. In a bucket each is compared with up to 63 before it, in an order that
 * differs from bucket to bucket: a bucket of a million copies has few pairs, which still connect them. Pairs are compared by
 * their shingles, not by their hashes. Groups are the connected parts of the graph of all pairs, by stars that grow
 * together (Kiveris et al. 2014, "Connected components in MapReduce and beyond"): each step is joins and groups,
 * which spill. A text is its MD5 here, so that groups do not depend on the order of rows. Whole texts are read one after
 * the other; the texts of candidates alone are stored.
 */
import { z } from 'zod';
import { identifier, quoted } from '../engine/sql-text.ts';
import { isAmong, numbered } from '../places.ts';
import type { Row } from '../profile/answers.ts';
import { laterSql, orderValues, type Order } from './exact.ts';
import type { Shingles } from './minhash.ts';

export interface Near {
  /** Column of texts. */
  readonly column: string;
  readonly shingles: Shingles;
  /** The least similarity of a pair, above 0 and at most 1. */
  readonly threshold: number;
}

/** Texts of a block: each is compared with those before it in its own block, and with all of the block before. */
const BLOCK = 32;

const unitOf = (column: string): string => `md5(${identifier(column)})::UUID AS unit`;

/** Every different text of `data` once, without the `repeats`. */
const textsOf = (column: string): string =>
  `(${numbered([unitOf(column), `${identifier(column)} AS text`])})
    WHERE unit IS NOT NULL AND NOT ${isAmong('place', 'SELECT place FROM repeats')}`;

/** The buckets of each text, over `data` and `repeats`. */
export const bandsSql = ({ column, shingles, threshold }: Near): string =>
  `SELECT unit, near_buckets(text, ${quoted(shingles)}, ${threshold}) AS buckets FROM ${textsOf(column)}`;

/** Buckets over `bands` that more than one text has: most have one. */
export const BUCKETS_SQL =
  'SELECT bucket FROM (SELECT unnest(buckets) AS bucket FROM bands) GROUP BY bucket HAVING count(*) > 1';

/** Pairs of texts over `bands` and `buckets` that share a bucket: `b` is the greater one. */
export const CANDIDATES_SQL = `WITH
  placed AS MATERIALIZED (
    SELECT unit, bucket, row_number() OVER (PARTITION BY bucket ORDER BY md5(concat(bucket, unit))) - 1 AS place
      FROM (SELECT unit, unnest(buckets) AS bucket FROM bands) SEMI JOIN buckets USING (bucket)),
  reaching AS (SELECT *, unnest([place // ${BLOCK}, place // ${BLOCK} + 1]) AS block FROM placed)
  SELECT DISTINCT least(later.unit, earlier.unit) AS a, greatest(later.unit, earlier.unit) AS b
    FROM placed later JOIN reaching earlier
      ON later.bucket = earlier.bucket AND later.place // ${BLOCK} = earlier.block
    WHERE earlier.place < later.place`;

/** The texts of `candidates`, over `data` and `repeats`. */
export const textsSql = ({ column }: Near): string =>
  `SELECT unit, text FROM ${textsOf(column)}
    AND ${isAmong('unit', 'SELECT a FROM candidates UNION SELECT b FROM candidates')}`;

/** The pairs of `candidates` whose `texts` are similar. */
export const pairsSql = ({ shingles, threshold }: Near): string =>
  `SELECT a, b FROM candidates JOIN texts one ON one.unit = a JOIN texts other ON other.unit = b
    WHERE near_similarity(one.text, other.text, ${quoted(shingles)}) >= ${threshold}`;

/** One step over `pairs`, in which `a` is less than `b`: pairs with the same connected parts, which are nearer to stars. */
export const STARS_SQL = `WITH
  large AS (SELECT DISTINCT least, other FROM (
    SELECT own, other, min(least(own, other)) OVER (PARTITION BY own) AS least
      FROM (SELECT a AS own, b AS other FROM pairs UNION ALL SELECT b, a FROM pairs))
    WHERE other > own),
  small AS (SELECT other AS own, least AS smaller, min(least) OVER (PARTITION BY other) AS centre FROM large)
  SELECT DISTINCT a, b FROM (
    SELECT centre AS a, own AS b FROM small UNION ALL SELECT centre, smaller FROM small)
  WHERE a < b`;

/** One row over `pairs`: whether they are stars, and how many. */
export const GROUPS_SQL = `SELECT count(DISTINCT a) AS groups, count(DISTINCT b) = count(*)
  AND count(*) FILTER (b IN (SELECT a FROM pairs)) = 0 AS "areStars" FROM pairs`;

const Groups = z.object({ groups: z.number(), areStars: z.boolean() });

export const readGroups = (row: Row): z.infer<typeof Groups> => Groups.parse(row);

/** Places of all rows of `data` but the first one of each star in `pairs`, and of each text. */
export function removedSql({ column }: Near, order: readonly Order[]): string {
  const rows = numbered([unitOf(column), ...orderValues(order)]);
  return laterSql(
    `SELECT rows.*, coalesce(a, unit) AS key FROM (${rows}) rows LEFT JOIN pairs ON unit = b WHERE unit IS NOT NULL`,
    'key',
    order,
  );
}
