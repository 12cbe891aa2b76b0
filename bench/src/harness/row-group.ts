/** A group of rows of a benchmark: what they are, and how they are measured together. */
import type { BenchReport, Measure } from './report.ts';

export interface RowOptions {
  /** Shorter runs; all groups of a benchmark together take less than a minute. */
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

/** Measures one group after another. */
export async function measureGroups(
  {
    name,
    peer,
    groups,
  }: Pick<BenchReport, 'name' | 'peer'> & { readonly groups: readonly RowGroup[] },
  options: RowOptions,
): Promise<BenchReport> {
  const results: Record<string, number> = {};
  const details: Record<string, unknown> = {};
  for (const group of groups) {
    const measured = await group.measure(options);
    Object.assign(results, measured.results);
    Object.assign(details, measured.details);
  }
  return { name, peer, measures: groups.flatMap(({ measures }) => measures), results, details };
}
