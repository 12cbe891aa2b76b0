/**
 * The profile of a table, from the answers to its two statements.
 *
 * Distinct values are exact up to about 50,000; beyond, the hashes that are divisible by a number are
 * counted (adaptive sampling, Flajolet 1990), about 1 % off. Quantiles are exact up to a million rows;
 * beyond, they come from a t-digest (Dunning 2019), and correlations
 * from a sample of rows by their hash. A value that is not exact is marked.
 */
import { kindOf, type Column } from './columns.ts';
import type { ColumnShape, ColumnSummary, Pair, Shape, Summary } from './answers.ts';
import { BINS, categoryPairs, EXACT_ROWS, numericPairs, SHARES, thinningOf } from './statements.ts';
import type { Association, Bin, ColumnProfile, Count, Profile } from './result.ts';
import { warningsOf } from './warnings.ts';

/** Values that a profile shows of each column. */
const SHOWN_VALUES = 10;

export function profileOf(columns: readonly Column[], summary: Summary, shape: Shape): Profile {
  const profiles = columns.map((column, at) =>
    columnOf(column, summary, summary.columns[at]!, shape.columns[at]!),
  );
  const associations = [
    ...associated(columns, numericPairs(columns), 'pearson', (at) => shape.correlations[at]).map(
      (each) => (summary.rows > EXACT_ROWS ? { ...each, approximate: true as const } : each),
    ),
    ...associated(columns, categoryPairs(columns, summary), 'cramer-v', (at) =>
      cramersV(shape.pairs[at] ?? []),
    ),
  ].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const found = {
    rows: summary.rows,
    duplicates: shape.duplicates,
    columns: profiles,
    associations,
  };
  return { ...found, warnings: warningsOf(found) };
}

function columnOf(
  column: Column,
  { rows }: Summary,
  summary: ColumnSummary,
  shape: ColumnShape,
): ColumnProfile {
  const kind = kindOf(column.type);
  const thinning = thinningOf(summary.estimate);
  const values = shape.values
    ?.map(({ key, value }) => ({ value: String(key), count: value }))
    .sort(byCount);
  const counted = summary.top.map((value, at) => ({ value, count: shape.top?.[at] ?? 0 }));
  const approximate: ColumnProfile['approximate'][number][] = [];
  if (thinning > 1) approximate.push('distinct');
  if (kind === 'number' && rows > EXACT_ROWS) approximate.push('quantiles');
  if (values === undefined) approximate.push('top');
  const [shortest, usual, longest] = summary.lengths ?? [];
  const range = kind === 'time' ? [summary.first, summary.last] : [summary.min, summary.max];
  return {
    ...column,
    kind,
    count: summary.count,
    missing: rows - summary.count,
    distinct: Math.min(summary.count, shape.distinct * thinning),
    approximate,
    ...(kind === 'number' ? { infinite: summary.count - (summary.finite ?? 0) } : {}),
    ...withDefined({ min: range[0], max: range[1] }),
    ...withDefined({ mean: summary.mean, deviation: summary.deviation }),
    ...(shape.quantiles === undefined || shape.quantiles === null
      ? {}
      : { quantiles: SHARES.map((share, at) => ({ share, value: shape.quantiles![at]! })) }),
    ...(longest === undefined
      ? {}
      : { lengths: { min: shortest ?? 0, mean: usual ?? 0, max: longest } }),
    top: (values ?? counted.sort(byCount)).slice(0, SHOWN_VALUES),
    ...withDefined({ values, histogram: histogramOf(summary, shape) }),
  };
}

const byCount = (a: Count, b: Count): number =>
  b.count - a.count || (a.value < b.value ? -1 : Number(a.value > b.value));

function withDefined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== null),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}

function histogramOf({ min, max }: ColumnSummary, { bins }: ColumnShape): Bin[] | undefined {
  if (bins === undefined || min === undefined || max === undefined) return undefined;
  const counts = new Map(bins.map(({ key, value }) => [Number(key), value]));
  const width = (max - min) / BINS;
  return Array.from({ length: BINS }, (_, at) => ({
    from: min + at * width,
    to: at === BINS - 1 ? max : min + (at + 1) * width,
    count: counts.get(at) ?? 0,
  }));
}

function associated(
  columns: readonly Column[],
  pairs: readonly Pair[],
  measure: Association['measure'],
  valueAt: (at: number) => number | null | undefined,
): Association[] {
  return pairs.flatMap(([a, b], at) => {
    const value = valueAt(at);
    if (value === undefined || value === null) return [];
    return [{ a: columns[a]!.name, b: columns[b]!.name, measure, value }];
  });
}

/** Cramér (1946): 0 for independent categories, 1 where each determines the other. */
function cramersV(
  entries: readonly { readonly key?: unknown; readonly value: number }[],
): number | undefined {
  const rows = new Map<string, number>();
  const columns = new Map<string, number>();
  const cells: (readonly [a: string, b: string, count: number])[] = [];
  let total = 0;
  for (const { key, value } of entries) {
    const { a, b } = key as { a: string | null; b: string | null };
    if (a === null || b === null) continue;
    cells.push([a, b, value]);
    rows.set(a, (rows.get(a) ?? 0) + value);
    columns.set(b, (columns.get(b) ?? 0) + value);
    total += value;
  }
  const least = Math.min(rows.size, columns.size);
  if (least < 2) return undefined;
  // The sum of O²/E less the total is chi-square; cells without rows add nothing to it.
  const sum = cells.reduce(
    (all, [a, b, count]) => all + count ** 2 / (rows.get(a)! * columns.get(b)!),
    0,
  );
  return Math.sqrt(Math.max(0, sum - 1) / (least - 1));
}
