/**
 * Runs DuckDB in a process of its own for each piece of work. A native fault cannot bring a worker
 * down, no native work outlives its task, its memory goes back to the system, and its peak is
 * measured.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import type { DataFormat } from './data-set.ts';
import type { Query, RowGroup } from './duckdb-queries.ts';
import type { Files } from './duckdb-session.ts';

/** The queries, by name: parameters and result. */
interface Questions {
  query: [{ query: Query; target: string; format: DataFormat }, null];
  partition: [
    { files: Files; by: { columns: readonly string[]; partitions: number }; folder: string },
    readonly (string | null)[],
  ];
  columns: [{ files: Files }, Readonly<Record<string, string>>];
  rowGroups: [{ files: Files }, readonly RowGroup[]];
  rows: [{ files: Files; range: { from: number; to: number }; target: string }, null];
}

export type DuckDbWork = {
  [Name in keyof Questions]: { readonly ask: Name; readonly given: Questions[Name][0] };
}[keyof Questions];

export type DuckDbEnd =
  | {
      readonly kind: 'done';
      readonly value: unknown;
      /** The most that its process held at once. */
      readonly peakBytes: number;
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };

export interface Answer<Name extends keyof Questions> {
  readonly value: Questions[Name][1];
  readonly peakBytes: number;
}

const ENTRY = fileURLToPath(new URL('./duckdb-worker.ts', import.meta.url));

/**
 * glibc keeps freed memory in an arena of the thread that freed it, where other threads cannot use
 * it. Large blocks that are mapped and unmapped go back to the system.
 */
const ALLOCATOR = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/** @throws SkeinError SQL_INVALID with what DuckDB says, MEMORY_SHORT. */
export async function ask<Name extends keyof Questions>(
  name: Name,
  given: Questions[Name][0],
): Promise<Answer<Name>> {
  const child = fork(ENTRY, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
    env: { ...process.env, ...ALLOCATOR },
  });
  const end = await new Promise<DuckDbEnd>((resolve, reject) => {
    let said: DuckDbEnd | undefined;
    child.on('message', (message: DuckDbEnd) => {
      said = message;
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (said !== undefined) resolve(said);
      else reject(new Error(`The process of DuckDB ended with ${signal ?? `exit code ${code}`}.`));
    });
    child.send({ ask: name, given });
  });
  if (end.kind === 'done') {
    return { value: end.value as Questions[Name][1], peakBytes: end.peakBytes };
  }
  throw end.code === undefined ? new Error(end.message) : new SkeinError(end.code, end.message);
}
