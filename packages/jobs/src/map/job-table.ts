/** A table as the jobs of a map have it. */
import { DateFormats, Source } from '@skein/data/data-set';
import { z } from 'zod';

export const JobTable = Source.extend({
  dates: DateFormats.optional(),
  /** How its only file, which is CSV, was found to be written: it can be cut between its records. */
  form: z
    .object({ delim: z.string(), quote: z.string(), escape: z.string(), newLine: z.string() })
    .optional(),
  /** Records of its only file, which has a form. */
  bytes: z.object({ header: z.int(), from: z.int(), to: z.int() }).optional(),
  /** Rows of its only file. */
  rows: z.object({ from: z.int(), to: z.int() }).optional(),
});
export type JobTable = z.infer<typeof JobTable>;
