/**
 * Runs DuckDB in a process of its own for each piece of work. A native fault cannot bring a worker
 * down, no native work outlives its task, its memory goes back to the system, and its peak is
 * measured.
 */
import { SkeinError } from '@skein/api/errors';
import { startProcess, withWorker, workerEnvironment } from '@skein/calls';
import type { DuckDbCalls } from './duckdb-worker.ts';

const ENTRY = new URL('./duckdb-worker.ts', import.meta.url);

/**
 * glibc keeps freed memory in an arena of the thread that freed it, where other threads cannot use
 * it. Large blocks that are mapped and unmapped go back to the system.
 */
const ALLOCATOR = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/** @throws SkeinError SQL_INVALID with DuckDB's message, MEMORY_SHORT. */
export async function ask<Name extends keyof DuckDbCalls>(
  name: Name,
  given: Parameters<DuckDbCalls[Name]>[0],
): Promise<Awaited<ReturnType<DuckDbCalls[Name]>>> {
  const child = startProcess<DuckDbCalls>(ENTRY, {
    name: 'skein-duckdb',
    errors: [SkeinError],
    env: { ...workerEnvironment(), ...ALLOCATOR },
  });
  return withWorker(child, ({ call }) => call(name, given));
}
