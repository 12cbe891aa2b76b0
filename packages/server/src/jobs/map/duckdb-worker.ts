/** The process that DuckDB lives in: does one piece of work, says how it ended, and goes. */
import { SkeinError } from '@skein/api';
import { columnsOf, partitionToFiles, queryToFile } from './duckdb-queries.ts';
import type { DuckDbEnd, DuckDbResult, DuckDbWork } from './duckdb.ts';

async function perform(work: DuckDbWork): Promise<DuckDbResult> {
  if (work.kind === 'describe') return { columns: await columnsOf(work.query) };
  if (work.kind === 'partition') {
    const files = await partitionToFiles(work.query, work.by, work.folder);
    return { files: files.map((file) => file ?? null) };
  }
  await queryToFile(work.query, work.target, work.format);
  return {};
}

// Whoever asked is gone: nobody needs the rest.
process.once('disconnect', () => process.exit(1));
process.once('message', (work: DuckDbWork) => {
  perform(work)
    .then(
      (result): DuckDbEnd => ({ kind: 'done', result }),
      (error: unknown): DuckDbEnd => ({
        kind: 'failed',
        code: error instanceof SkeinError ? error.code : undefined,
        message: error instanceof Error ? error.message : String(error),
      }),
    )
    .then((end) => process.send?.(end, () => process.exit(0)))
    .catch(() => process.exit(1));
});
