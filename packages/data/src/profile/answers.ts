/** The rows that DuckDB answers the statements of a profile with. */
import { z } from 'zod';

/** Two columns by their places in the table. */
export type Pair = readonly [a: number, b: number];

const Figure = z
  .number()
  .nullish()
  .transform((value) => value ?? undefined);
/** DuckDB writes large integers of JSON as numbers, and these are doubles. */
const Entries = z
  .array(z.object({ key: z.unknown(), value: z.number() }))
  .nullish()
  .transform((entries) => entries ?? []);

const ColumnSummary = z.object({
  count: z.number(),
  /** Distinct values by HyperLogLog: 15 % off. */
  estimate: z.number(),
  /** Candidates for the most frequent values. */
  top: z
    .array(z.string())
    .nullish()
    // A statement cannot hold such a text.
    .transform((values) => (values ?? []).filter((value) => !value.includes('\0'))),
  finite: Figure,
  min: Figure,
  max: Figure,
  mean: Figure,
  deviation: Figure,
  first: z.string().nullish(),
  last: z.string().nullish(),
  lengths: z.tuple([Figure, Figure, Figure]).optional(),
});
export type ColumnSummary = z.output<typeof ColumnSummary>;

export interface Summary {
  readonly rows: number;
  readonly columns: readonly ColumnSummary[];
}

const ColumnShape = z.object({
  distinct: z.number(),
  values: Entries.optional(),
  top: z.array(z.number()).optional(),
  quantiles: z.array(z.number()).nullish(),
  bins: Entries.optional(),
});
export type ColumnShape = z.output<typeof ColumnShape>;

export interface Shape {
  readonly duplicates: number;
  readonly columns: readonly ColumnShape[];
  readonly pairs: readonly z.output<typeof Entries>[];
  readonly correlations: readonly (number | null)[];
}

export type Row = Readonly<Record<string, unknown>>;

const places = (count: number): string[] => Array.from({ length: count }, (_, at) => `c${at}`);

export function readSummary(row: Row, columns: number): Summary {
  return {
    rows: z.number().parse(row['rows']),
    columns: places(columns).map((name) => ColumnSummary.parse(row[name])),
  };
}

export function readShape(row: Row, columns: number): Shape {
  return {
    duplicates: z.number().parse(row['duplicates']),
    columns: places(columns).map((name) => ColumnShape.parse(row[name])),
    pairs: z.array(Entries).parse(row['pairs']),
    correlations: z.array(z.number().nullable()).parse(row['correlations']),
  };
}
