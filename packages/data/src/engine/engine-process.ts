/** The process that DuckDB runs in: bounds the memory of each call, and measures its peak. */
import { readFileSync, writeFileSync } from 'node:fs';
import { SkeinError } from '@skein/api/errors';
import { serve } from '@skein/calls/serve';
import { scanRange, type Bytes, type CsvForm, type RangeScan } from '../cut-csv.ts';
import type { Answer, Bounds } from './memory.ts';
import {
  describeTable,
  rowGroupsOf,
  typesOfStatements,
  writeRows,
  type Fetch,
  type Statement,
  type Written,
} from './queries.ts';
import type { Table } from './reader.ts';
import type { Scope, Session } from './session.ts';
import { parseStatement, textsOf } from './syntax.ts';

const MIB = 2 ** 20;
/** How often the process measures its memory: DuckDB fills some tens of megabytes meanwhile. */
const LOOK_EVERY_MS = 20;
const REPORT_EVERY_MS = 200;

/**
 * The bound is the job's, which DuckDB's own limit only approaches: what it takes for writing
 * Parquet, for one, it does not count.
 */
async function within<Value>(
  { processBytes }: Bounds,
  work: (watch: (session: Session) => void) => Promise<Value>,
): Promise<Answer<Value>> {
  resetPeak();
  const tooMuch = Promise.withResolvers<never>();
  let watched: Session | undefined;
  let reportedAt = performance.now();
  const watching = setInterval(() => {
    const now = performance.now();
    if (watched !== undefined && now - reportedAt > REPORT_EVERY_MS) {
      reportedAt = now;
      void parent.call('progress', watched.progress()).catch(() => undefined);
    }
    if (process.memoryUsage.rss() <= processBytes) return;
    const message = `The statement took more than the ${Math.floor(processBytes / MIB)} MiB of its job.`;
    tooMuch.reject(new SkeinError('MEMORY_SHORT', message));
  }, LOOK_EVERY_MS);
  try {
    const value = await Promise.race([work((session) => (watched = session)), tooMuch.promise]);
    return { value, peakBytes: peakBytes() };
  } finally {
    clearInterval(watching);
  }
}

/** A new peak begins with each call: Linux resets it when 5 is written there. */
function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Other systems, and some containers, have no such file: the peak is then the highest of all calls.
  }
}

/** The peak of this program; the one of `getrusage` counts what the parent had before it. */
function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

type Bounded = Omit<Scope, 'tables'>;
interface ScanGiven {
  readonly file: string;
  readonly ranges: readonly Bytes[];
  readonly form: CsvForm;
}

const calls = {
  statement: (statement: Statement): Promise<Answer<Written>> =>
    within(statement.bounds, (watch) =>
      writeRows(statement, watch, (ranges) => parent.call('fetch', ranges)),
    ),
  describe: ({
    table,
    isToBeCut,
    ...scope
  }: Bounded & { readonly table: Table; readonly isToBeCut?: boolean }) =>
    within(scope.bounds, () => describeTable(scope, table, isToBeCut)),
  rowGroups: ({ files, ...scope }: Bounded & { readonly files: readonly string[] }) =>
    within(scope.bounds, () => rowGroupsOf(scope, files)),
  types: ({ statements, ...scope }: Scope & { readonly statements: readonly string[] }) =>
    within(scope.bounds, () => typesOfStatements(scope, statements)),
  async scan({ file, ranges, form }: ScanGiven): Promise<RangeScan[]> {
    const scans: RangeScan[] = [];
    for (const range of ranges) scans.push(await scanRange(file, range, form));
    return scans;
  },
  parse: (sql: string) => parseStatement(sql),
  texts: (statements: readonly unknown[]) => textsOf(statements),
};
export type EngineCalls = typeof calls;
const parent = serve<{ progress: (fraction: number) => void; fetch: Fetch }>(calls, [SkeinError]);
