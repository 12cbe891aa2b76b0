/** The options of a plan that counts rows: its tables, their axes and bins. Runs in Node and in the browser. */
import { z } from 'zod';
import { name } from '../plan/terms.ts';

/** Borders of bins, one more than bins. A number beyond them counts in the first or the last bin. */
const borders = z.array(z.number()).min(2).max(257);
const bins = z.int().min(1).max(256);

const Axis = z.discriminatedUnion('kind', [
  z.strictObject({
    /** The model's logit of the second class. */
    kind: z.literal('score'),
    low: z.number().default(-8),
    high: z.number().default(8),
    bins: bins.default(20),
    /** In place of `low`, `high` and `bins`: bins of different width. */
    borders: borders.optional(),
  }),
  /** The class of the row. */
  z.strictObject({ kind: z.literal('label') }),
  z.strictObject({
    /** A column of `data.features`: its categories, or bins over its range. */
    kind: z.literal('column'),
    name,
    /** Number of bins of a column of numbers; default 10. */
    bins: bins.optional(),
    borders: borders.optional(),
  }),
]);
export type AxisTerms = z.output<typeof Axis>;

export const COUNT_OPTIONS = {
  /** The axes of each table: a row counts in one cell of it. */
  tables: z.array(z.array(Axis).min(1).max(4)).min(1).max(64),
  /** Whether each site has cells of its own, which no other site adds to. */
  bySite: z.boolean().default(false),
  /** The column that names the patient of a row, and how many rows of one patient count. Absent: each row is a patient. */
  patient: z.strictObject({ column: name, rows: z.int().min(1).max(1000).default(1) }).optional(),
  /** Attempts that the budget has to pay for: one is lost where too few sites answer. */
  attempts: z.int().min(1).max(100).default(1),
};
export type StatisticsTerms = z.output<z.ZodObject<typeof COUNT_OPTIONS>>;
