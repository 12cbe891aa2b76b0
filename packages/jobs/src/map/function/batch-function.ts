/** A function over batches, of a user or of Skein. */
import type { Columns } from './json-lines.ts';

/** Takes the columns of a batch of rows, and returns the columns of its result, with more or fewer rows. */
export type BatchFunction = (
  columns: Columns,
  options: Readonly<Record<string, string>>,
) => unknown;
