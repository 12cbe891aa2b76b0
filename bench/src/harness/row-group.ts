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

type Measured = Awaited<ReturnType<RowGroup['measure']>>;

/** One group of several, which are measured at once: each waits most of its time, or measures no time. */
export function together(groups: readonly RowGroup[]): RowGroup {
  return groupOf(groups, (options) => Promise.all(groups.map((each) => each.measure(options))));
}

/** One group of several, which are measured one after another. */
export function inTurn(groups: readonly RowGroup[]): RowGroup {
  return groupOf(groups, async (options) => {
    const all: Measured[] = [];
    for (const group of groups) all.push(await group.measure(options));
    return all;
  });
}

function groupOf(
  groups: readonly RowGroup[],
  measureAll: (options: RowOptions) => Promise<readonly Measured[]>,
): RowGroup {
  return {
    measures: groups.flatMap(({ measures }) => measures),
    async measure(options) {
      const all = await measureAll(options);
      return {
        results: Object.fromEntries(all.flatMap(({ results }) => Object.entries(results))),
        details: Object.fromEntries(all.flatMap(({ details }) => Object.entries(details))),
      };
    },
  };
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
  const all = inTurn(groups);
  return { name, peer, measures: all.measures, ...(await all.measure(options)) };
}
