/**
 * DuckDB in a process of its own for each piece of work: what it does natively can neither bring a
 * worker down nor stay behind when its task is ended, and its memory goes back to the system.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SkeinError, type ErrorCode } from '@skein/api';
import type { DataFormat } from './data-set.ts';
import type { Query } from './duckdb-queries.ts';

export type DuckDbWork =
  | { readonly kind: 'describe'; readonly query: Omit<Query, 'sql'> }
  | {
      readonly kind: 'query';
      readonly query: Query;
      readonly target: string;
      readonly format: DataFormat;
    }
  | {
      readonly kind: 'partition';
      readonly query: Omit<Query, 'sql'>;
      readonly by: { readonly columns: readonly string[]; readonly partitions: number };
      readonly folder: string;
    };

export interface DuckDbResult {
  readonly files?: readonly (string | null)[];
  readonly columns?: Readonly<Record<string, string>>;
}

export type DuckDbEnd =
  | { readonly kind: 'done'; readonly result: DuckDbResult }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };

const ENTRY = fileURLToPath(new URL('duckdb-worker.ts', import.meta.url));

/** Runs a statement and writes its rows. @throws SkeinError SQL_INVALID with what DuckDB says. */
export async function query(given: Query, target: string, format: DataFormat): Promise<void> {
  await perform({ kind: 'query', query: given, target, format });
}

/** The files of the partitions, in their order; null where one has no rows. @throws SkeinError SQL_INVALID. */
export async function partition(
  given: Omit<Query, 'sql'>,
  by: { readonly columns: readonly string[]; readonly partitions: number },
  folder: string,
): Promise<readonly (string | null)[]> {
  const { files = [] } = await perform({ kind: 'partition', query: given, by, folder });
  return files;
}

/** Types by column that fit CSV files, as far as their beginnings tell. @throws SkeinError SQL_INVALID. */
export async function columnsOf(
  given: Omit<Query, 'sql'>,
): Promise<Readonly<Record<string, string>>> {
  const { columns = {} } = await perform({ kind: 'describe', query: given });
  return columns;
}

async function perform(work: DuckDbWork): Promise<DuckDbResult> {
  const child = fork(ENTRY, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
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
    child.send(work);
  });
  if (end.kind === 'done') return end.result;
  throw end.code === undefined ? new Error(end.message) : new SkeinError(end.code, end.message);
}
