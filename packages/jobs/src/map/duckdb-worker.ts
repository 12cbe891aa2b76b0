/** The process that DuckDB runs in: does one piece of work, reports how it ended, and exits. */
import { readFileSync } from 'node:fs';
import { SkeinError } from '@skein/api/errors';
import {
  columnsOf,
  partitionToFiles,
  queryToFile,
  rowGroupsOf,
  rowsToFile,
} from './duckdb-queries.ts';
import type { DuckDbEnd, DuckDbWork } from './duckdb.ts';
import type { Bounds } from './memory.ts';

const MIB = 2 ** 20;
/** How often the process looks at itself: DuckDB fills some tens of megabytes meanwhile. */
const LOOK_EVERY_MS = 20;

async function perform(work: DuckDbWork): Promise<unknown> {
  switch (work.ask) {
    case 'query': {
      const { query, target, format } = work.given;
      return queryToFile(query, target, format);
    }
    case 'partition': {
      const { files, by, folder } = work.given;
      return (await partitionToFiles(files, by, folder)).map((file) => file ?? null);
    }
    case 'columns':
      return columnsOf(work.given.files);
    case 'rowGroups':
      return rowGroupsOf(work.given.files);
    case 'rows': {
      const { files, range, target } = work.given;
      return rowsToFile(files, range, target);
    }
  }
}

function boundsOf(work: DuckDbWork): Bounds {
  return work.ask === 'query' ? work.given.query.bounds : work.given.files.bounds;
}

/**
 * The bound is that of the job, which DuckDB's own limit only approaches: what it takes for writing
 * Parquet, for one, it does not count.
 */
function watch({ processBytes }: Bounds): NodeJS.Timeout {
  return setInterval(() => {
    if (process.memoryUsage.rss() <= processBytes) return;
    say({
      kind: 'failed',
      code: 'MEMORY_SHORT',
      message: `The statement took more than the ${Math.floor(processBytes / MIB)} MiB of its job.`,
    });
  }, LOOK_EVERY_MS);
}

/** The peak since this program began; the one of `getrusage` counts what the parent had before it. */
function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

let said = false;
/** Reports once; later reports are ignored. */
function say(end: DuckDbEnd): void {
  if (said) return;
  said = true;
  process.send?.(end, () => process.exit(0));
}

// The parent has exited: stop the work.
process.once('disconnect', () => process.exit(1));
process.once('message', (work: DuckDbWork) => {
  const watching = watch(boundsOf(work));
  perform(work).then(
    (value) => {
      clearInterval(watching);
      say({ kind: 'done', value: value ?? null, peakBytes: peakBytes() });
    },
    (error: unknown) =>
      say({
        kind: 'failed',
        code: error instanceof SkeinError ? error.code : undefined,
        message: error instanceof Error ? error.message : String(error),
      }),
  );
});
