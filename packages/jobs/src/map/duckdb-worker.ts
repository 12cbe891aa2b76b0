/** The process that DuckDB runs in, for one call: bounds its memory, and measures the peak. */
import { readFileSync } from 'node:fs';
import { SkeinError } from '@skein/api/errors';
import { serve } from '@skein/calls/serve';
import type { DataFormat } from './data-set.ts';
import {
  columnsOf,
  partitionToFiles,
  queryToFile,
  rowGroupsOf,
  rowsToFile,
  type Partitioning,
  type Query,
} from './duckdb-queries.ts';
import type { Files } from './duckdb-session.ts';
import type { Answer, Bounds } from './memory.ts';

const MIB = 2 ** 20;
/** How often the process measures its memory: DuckDB fills some tens of megabytes meanwhile. */
const LOOK_EVERY_MS = 20;

/**
 * The bound is the job's, which DuckDB's own limit only approaches: what it takes for writing
 * Parquet, for one, it does not count.
 */
async function within<Value>(
  { processBytes }: Bounds,
  work: Promise<Value>,
): Promise<Answer<Value>> {
  const tooMuch = Promise.withResolvers<never>();
  const watching = setInterval(() => {
    if (process.memoryUsage.rss() <= processBytes) return;
    const message = `The statement took more than the ${Math.floor(processBytes / MIB)} MiB of its job.`;
    tooMuch.reject(new SkeinError('MEMORY_SHORT', message));
  }, LOOK_EVERY_MS);
  try {
    return { value: await Promise.race([work, tooMuch.promise]), peakBytes: peakBytes() };
  } finally {
    clearInterval(watching);
  }
}

/** The peak since this program began; the one of `getrusage` counts what the parent had before it. */
function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

interface OfFiles {
  readonly files: Files;
}

const calls = {
  query({ query, target, format }: { query: Query; target: string; format: DataFormat }) {
    return within(query.bounds, queryToFile(query, target, format));
  },
  partition({ files, by, folder }: OfFiles & { by: Partitioning; folder: string }) {
    return within(files.bounds, partitionToFiles(files, by, folder));
  },
  columns: ({ files }: OfFiles) => within(files.bounds, columnsOf(files)),
  rowGroups: ({ files }: OfFiles) => within(files.bounds, rowGroupsOf(files)),
  rows({
    files,
    range,
    target,
  }: OfFiles & { range: { from: number; to: number }; target: string }) {
    return within(files.bounds, rowsToFile(files, range, target));
  },
};
export type DuckDbCalls = typeof calls;
serve(calls);
