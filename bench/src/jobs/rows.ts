/** A group of rows of the jobs benchmark; a new one is one more entry of `GROUPS` in `jobs.ts`. */
import type { Measure } from '../harness/report.ts';

export interface RowOptions {
  /** Shorter runs; all groups together take less than 45 s. */
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

export interface RowGroup {
  readonly measures: readonly Measure[];
  measure(options: RowOptions): Promise<{
    readonly results: Readonly<Record<string, number>>;
    /** Absolute figures behind the ratios. */
    readonly details: Readonly<Record<string, unknown>>;
  }>;
}
