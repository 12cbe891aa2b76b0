/**
 * The two statements of a profile. The first finds sizes, ranges and candidates; the second counts
 * within them. Each reads a table once; duplicates of rows, and correlations, take one more reading each.
 *
 * Memory is bounded whatever the table holds: the aggregates are sketches, or counts of no more than
 * some hundred values.
 */
import { identifier, quoted } from '../engine/sql-text.ts';
import { hashesOf, kindOf, numberOf, textOf, type Column } from './columns.ts';
import type { Pair, Summary } from './answers.ts';

/** The numeric columns whose correlations are computed: 780 pairs. */
const MOST_CORRELATED = 40;
/** The columns with categories whose association is computed: 28 pairs. */
const MOST_ASSOCIATED = 8;
/** Categories of such a column. */
const MOST_CATEGORIES = 30;
/** A column with no more values than about this many has all of them counted. */
export const COUNTED_VALUES = 200;
const TOP = 10;
export const BINS = 20;
/**
 * Rows up to which quantiles and correlations are exact. Quantiles hold all values, 8 MB of each column. The 276
 * pairs of 24 numeric columns took a third of the time of the first statement, over 200,000 rows of CSV.
 */
export const EXACT_ROWS = 1_000_000;
export const SHARES = [
  0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99,
];
/** Values whose hashes are held: beyond, a sample of the hashes is counted, about 1 % off. */
const HELD_VALUES = 50_000;

const pairsOf = (count: number): Pair[] =>
  Array.from({ length: count }, (_, a) =>
    Array.from({ length: count - a - 1 }, (__, b): Pair => [a, a + 1 + b]),
  ).flat();

/** Numeric columns that are correlated with each other, by their places in the table. */
export function numericPairs(columns: readonly Column[]): Pair[] {
  const numeric = columns.flatMap(({ type }, at) => (kindOf(type) === 'number' ? [at] : []));
  const places = numeric.slice(0, MOST_CORRELATED);
  return pairsOf(places.length).map(([a, b]) => [places[a]!, places[b]!]);
}

/** Columns of few categories, by their places in the table. */
export function categoryPairs(columns: readonly Column[], { columns: found }: Summary): Pair[] {
  const places = columns
    .flatMap(({ type }, at) => {
      const { estimate } = found[at]!;
      const isFew = estimate >= 2 && estimate <= MOST_CATEGORIES;
      return isFew && ['text', 'truth'].includes(kindOf(type)) ? [at] : [];
    })
    .slice(0, MOST_ASSOCIATED);
  return pairsOf(places.length).map(([a, b]) => [places[a]!, places[b]!]);
}

const finite = (value: string): string => `CASE WHEN isfinite(${value}) THEN ${value} END`;

/** The first statement. @param table its name in the statement. */
export function summarySql(columns: readonly Column[], table: string): string {
  const structs = columns.map((column, at) => {
    const value = identifier(column.name);
    const kind = kindOf(column.type);
    const number = numberOf(column);
    const fields = [
      `count: count(${value})`,
      `estimate: approx_count_distinct(${textOf(column)})`,
      `top: approx_top_k(${textOf(column)}, ${TOP})`,
    ];
    if (kind === 'number' || kind === 'time') {
      fields.push(`finite: count(${number})`, `min: min(${number})`, `max: max(${number})`);
    }
    if (kind === 'number') {
      fields.push(`mean: avg(${number})`, `deviation: stddev_samp(${number})`);
    }
    if (kind === 'time') {
      fields.push(`first: min(${value})::VARCHAR`, `last: max(${value})::VARCHAR`);
    }
    if (kind === 'text') {
      const length = `length(${value}::VARCHAR)`;
      fields.push(`lengths: [min(${length}), avg(${length}), max(${length})]`);
    }
    return `{${fields.join(', ')}} AS c${at}`;
  });
  return `SELECT count(*) AS rows, ${structs.join(', ')} FROM ${identifier(table)}`;
}

/** One in this many hashes is counted. */
export const thinningOf = (estimate: number): number =>
  Math.max(1, Math.ceil(estimate / HELD_VALUES));

/**
 * The second statement, over the summary of the same table. For many rows it comes in parts, each with some columns of its
 * one row.
 */
export function shapeSql(
  columns: readonly Column[],
  summary: Summary,
  table: string,
): readonly string[] {
  const structs = columns.map((column, at) => {
    const { estimate, top, min, max } = summary.columns[at]!;
    const kind = kindOf(column.type);
    const hash = `hash(${identifier(column.name)})`;
    const thinning = thinningOf(estimate);
    const kept = thinning === 1 ? '' : ` FILTER (${hash} % ${thinning} = 0)`;
    const fields = [
      `'distinct': count(DISTINCT CASE WHEN ${identifier(column.name)} IS NOT NULL THEN ${hash} END)${kept}`,
      estimate <= COUNTED_VALUES
        ? `'values': map_entries(histogram(${textOf(column)}))`
        : `top: [${top.map((value) => `count(*) FILTER (${textOf(column)} = ${quoted(value)})`).join(', ')}]::BIGINT[]`,
    ];
    if (kind === 'number') fields.push(`quantiles: ${quantiles(numberOf(column), summary.rows)}`);
    if (min !== undefined && max !== undefined && min < max) {
      fields.push(`bins: map_entries(histogram(${binOf(numberOf(column), min, max)}))`);
    }
    return `{${fields.join(', ')}} AS c${at}`;
  });
  const pairs = categoryPairs(columns, summary).map(
    ([a, b]) => `map_entries(histogram({a: ${textOf(columns[a]!)}, b: ${textOf(columns[b]!)}}))`,
  );
  const from = identifier(table);
  const [row, other] = hashesOf(columns.map(({ name }) => name));
  const kept = Math.ceil(summary.rows / EXACT_ROWS);
  const correlations = numericPairs(columns).map(([a, b]) =>
    finite(`corr(${numberOf(columns[a]!)}, ${numberOf(columns[b]!)})`),
  );
  // Without an aggregate the subquery would have a row for each row of the table.
  const correlated =
    correlations.length === 0
      ? '[]::DOUBLE[]'
      : `(SELECT [${correlations.join(', ')}]::DOUBLE[] FROM ${from}${kept <= 1 ? '' : ` WHERE ${row} % ${kept} = 0`})`;
  const counts = `${structs.join(', ')}, [${pairs.join(', ')}] AS pairs`;
  const duplicates = `(SELECT coalesce(sum(times - 1), 0)::BIGINT FROM (SELECT count(*) AS times FROM ${from} GROUP BY ${row}, ${other})) AS duplicates`;
  // The groups of all rows spill, and alone they leave memory for it: with the sketches of 27 columns, 46 million
  // rows took more than 768 MiB.
  return summary.rows <= EXACT_ROWS
    ? [`SELECT ${counts}, ${correlated} AS correlations, ${duplicates} FROM ${from}`]
    : [
        `SELECT ${counts} FROM ${from}`,
        `SELECT ${correlated} AS correlations`,
        `SELECT ${duplicates}`,
      ];
}

const quantiles = (number: string, rows: number): string =>
  `${rows <= EXACT_ROWS ? 'quantile_cont' : 'approx_quantile'}(${number}, [${SHARES.join(', ')}])`;

/** DuckDB's least passes over missing values. */
const binOf = (number: string, min: number, max: number): string =>
  `CASE WHEN ${number} IS NOT NULL THEN least(${BINS - 1}, floor((${number} - (${min}::DOUBLE)) / (${max - min}::DOUBLE) * ${BINS}))::INTEGER END`;
