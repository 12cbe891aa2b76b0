/** A table as the jobs of a map have it. */
import { DateFormats, Source } from '@skein/data/data-set';
import { z } from 'zod';

export const JobTable = Source.extend({
  dates: DateFormats.optional(),
  /** Rows of its only file. */
  rows: z.object({ from: z.int(), to: z.int() }).optional(),
});
export type JobTable = z.infer<typeof JobTable>;
