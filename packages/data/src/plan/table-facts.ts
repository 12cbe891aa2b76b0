/** The properties of a table that a plan depends on. */
import type { Columns } from '../data-set.ts';

export interface TableFacts {
  readonly sizeBytes: number;
  /** DuckDB types by column. */
  readonly columns: Columns;
  /** Whether jobs can share its rows: it has several files, or is Parquet. */
  readonly canBeCut: boolean;
}
