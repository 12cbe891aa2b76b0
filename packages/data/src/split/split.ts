/**
 * Statements that cut a table into parts for training, without leakage: equal rows, and rows of one
 * group, have one part.
 *
 * A row's place is the MD5 of its group, or of the whole row, with the seed: a number from 0 to 1
 * that does not change when rows are added, and is the same on each machine. With strata the places
 * are ranked within each label, so that the shares are exact; then an added row can move others.
 */
import { z } from 'zod';
import { identifier } from '../engine/sql-text.ts';
import { digestOf, hashesOf, placeOf } from '../profile/columns.ts';
import type { Row } from '../profile/answers.ts';

export { requireColumns } from '../profile/columns.ts';

export const PARTS = ['train', 'validation', 'test'] as const;
export type Part = (typeof PARTS)[number];

export interface SplitChoice {
  /** Columns of the table. */
  readonly columns: readonly string[];
  /** Shares of the parts, in the order of PARTS; their sum is 1. */
  readonly shares: readonly number[];
  readonly seed: number;
  /** Rows with equal values in these columns stay together; none: equal rows do. */
  readonly by: readonly string[];
  /** Column whose values have the same shares in each part. */
  readonly label?: string | undefined;
  /** Column by which the first rows are for training, and the last for the test. */
  readonly time?: string | undefined;
}

/** The statement whose rows are one part of `data`. */
export function partSql(choice: SplitChoice, part: Part): string {
  const at = PARTS.indexOf(part);
  const { columns, time, label } = choice;
  const all = columns.map((name) => identifier(name)).join(', ');
  const unit = digestOf(choice.by.length > 0 ? choice.by : columns, String(choice.seed));
  if (time !== undefined) {
    const { from, to } = bounds(choice, at);
    const value = identifier(time);
    const [least, most] = [cutAt(value, from), cutAt(value, to)];
    const tests = [
      ...(at === 0 ? [] : [`${value} > ${least}`]),
      ...(at === PARTS.length - 1 ? [] : [`${value} <= ${most}`]),
    ];
    return `SELECT ${all} FROM data WHERE ${tests.join(' AND ')}`;
  }
  if (label === undefined) {
    return `SELECT ${all} FROM data WHERE ${within(placeOf(unit), choice, at)}`;
  }
  return `WITH counted AS (SELECT ${unit} AS unit, ${identifier(label)} AS label, count(*) AS n FROM data GROUP BY ALL),
    units AS (SELECT unit, label, total AS n FROM
      (SELECT *, sum(n) OVER (PARTITION BY unit) AS total,
        row_number() OVER (PARTITION BY unit ORDER BY n DESC, label) AS nth FROM counted) WHERE nth = 1),
    placed AS (SELECT unit, (sum(n) OVER (PARTITION BY label ORDER BY unit) - n / 2) / sum(n) OVER (PARTITION BY label) AS place FROM units)
    SELECT ${all} FROM data WHERE ${unit} IN (SELECT placed.unit FROM placed WHERE ${within('placed.place', choice, at)})`;
}

const bounds = ({ shares }: SplitChoice, at: number): { from: number; to: number } => {
  const upTo = (count: number): number =>
    Math.min(
      1,
      shares.slice(0, count).reduce((sum, share) => sum + share, 0),
    );
  return { from: upTo(at), to: upTo(at + 1) };
};

/** The last part has no upper bound: the sum of shares may be 0.9999999. */
function within(place: string, choice: SplitChoice, at: number): string {
  const { from, to } = bounds(choice, at);
  return at === PARTS.length - 1
    ? `${place} >= ${from}`
    : `${place} >= ${from} AND ${place} < ${to}`;
}

/** The time up to which there is this share of the rows; it spills, where a quantile holds all rows. */
const cutAt = (value: string, share: number): string =>
  `(SELECT min(value) FROM (SELECT value, sum(n) OVER (ORDER BY value) AS upto, sum(n) OVER () AS total
      FROM (SELECT ${value} AS value, count(*) AS n FROM data WHERE ${value} IS NOT NULL GROUP BY ALL)) WHERE upto >= ${share} * total)`;

/**
 * Statements over `data` and the three written parts: what these have in common. Each has some columns of one row: the groups
 * of all rows spill, and alone they leave memory for it.
 */
export function proofSql({ columns, by, label, time }: SplitChoice): readonly string[] {
  const union = (what: string): string =>
    PARTS.map((part) => `SELECT '${part}' AS part, ${what} FROM ${part}`).join(' UNION ALL ');
  // Numbers take less memory than sets of texts.
  const shared = (names: readonly string[]): string => {
    const [a, b] = hashesOf(names);
    const numbered = PARTS.map(
      (part, at) => `SELECT ${at} AS part, ${a} AS a, ${b} AS b FROM ${part}`,
    );
    return `(SELECT count(*) FROM (SELECT a FROM (${numbered.join(' UNION ALL ')}) GROUP BY a, b HAVING min(part) < max(part)))`;
  };
  const fields = [
    `(SELECT count(*) FROM data) AS rows`,
    ...PARTS.map((part) => `(SELECT count(*) FROM ${part}) AS ${identifier(part)}`),
    ...(label === undefined
      ? []
      : [
          `(SELECT list({part: part, label: label, rows: n} ORDER BY part, label) FROM (SELECT part, label, count(*) AS n FROM (${union(`left(${identifier(label)}::VARCHAR, 100) AS label`)}) GROUP BY ALL)) AS labels`,
        ]),
    ...(time === undefined
      ? []
      : [
          `(SELECT list({part: part, first: a, last: b}) FROM (SELECT part, min(t)::VARCHAR AS a, max(t)::VARCHAR AS b FROM (${union(`${identifier(time)} AS t`)}) GROUP BY part)) AS times`,
        ]),
  ];
  return [
    `SELECT ${fields.join(', ')}`,
    `SELECT ${shared(columns)} AS "sharedRows"`,
    ...(by.length === 0 ? [] : [`SELECT ${shared(by)} AS "sharedGroups"`]),
  ];
}

const Proof = z.object({
  rows: z.number(),
  train: z.number(),
  validation: z.number(),
  test: z.number(),
  /** Different rows that more than one part has. */
  sharedRows: z.number(),
  sharedGroups: z.number().optional(),
  labels: z
    .array(z.object({ part: z.enum(PARTS), label: z.string().nullable(), rows: z.number() }))
    .optional(),
  times: z
    .array(
      z.object({ part: z.enum(PARTS), first: z.string().nullable(), last: z.string().nullable() }),
    )
    .optional(),
});
/** Counted over the written parts, not over the plan of the split. */
export type Proof = z.infer<typeof Proof>;

export const readProof = (row: Row): Proof => Proof.parse(row);
