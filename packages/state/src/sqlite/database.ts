/**
 * One SQLite file: opening, migrations, transactions, and the mapping of its errors to coded ones.
 *
 * WAL mode, one connection, every statement prepared once.
 *
 * Durability is chosen per write. `kill -9` never loses an acknowledged write, because its bytes
 * are in the kernel by then; `synchronous` matters only for a power cut.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type ErrorCode, SkeinError } from '@skein/api/errors';
import { createPrivateFile, tightenFile } from '../disk/private-files.ts';
import { MIGRATIONS } from './migrations.ts';
import { sqlite } from './sqlite.ts';

/** `power-cut`: synced to the disk before it is acknowledged. `crash`: handed to the kernel. */
export type Survives = 'power-cut' | 'crash';

export interface Database {
  prepare(sql: string): StatementSync;
  /** Runs a query. @throws SkeinError STATE_CORRUPT. */
  read<T>(query: () => T): T;
  /** Runs a change in one transaction; if it throws, nothing is changed. @throws SkeinError STORAGE_FULL, STATE_CORRUPT. */
  write<T>(survives: Survives, change: () => T): T;
  close(): void;
}

/** "skei" as the four bytes at offset 68 of the file: marks a database of Skein. */
export const APPLICATION_ID = 0x736b6569;
/** How long to wait for a lock of another process, such as a backup that reads the file. */
const BUSY_TIMEOUT_MS = 2000;
const BUSY_RETRY_MS = 5;
const SQLITE_BUSY = 5;

/** A write-ahead log that grew in a burst is truncated to this many bytes after its checkpoint. */
const WAL_KEPT_BYTES = 64 * 2 ** 20;

/**
 * Opens the file; creates or migrates it if needed.
 * @param path a file, or ':memory:'.
 * @param migrations the steps of its schema; `user_version` counts the applied steps.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export function openDatabase(path: string, migrations: readonly string[] = MIGRATIONS): Database {
  let handle: DatabaseSync | undefined;
  try {
    const isFile = path !== ':memory:';
    if (isFile) createPrivateFile(path);
    handle = new sqlite.DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    identify(handle, path);
    // Not before it is identified as ours: a wrong path may name any file, or a folder.
    if (isFile) for (const part of ['', '-wal', '-shm']) tightenFile(`${path}${part}`);
    useLog(handle);
    handle.exec(
      `PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;
       PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`,
    );
    migrate(handle, path, migrations);
    return transactional(handle, path);
  } catch (error) {
    if (handle?.isOpen) handle.close();
    throw translated(error, path);
  }
}

function identify(handle: DatabaseSync, path: string): void {
  // Both at one moment: another process may be creating the file.
  handle.exec('BEGIN');
  const id = pragma(handle, 'application_id');
  const { tables } = handle.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as {
    tables: number;
  };
  handle.exec('COMMIT');
  if (id === APPLICATION_ID || (id === 0 && tables === 0)) return;
  throw new SkeinError('STATE_CORRUPT', `${path} is a database of another program.`);
}

/** SQLite does not wait for the others that change the mode of a new file. */
function useLog(handle: DatabaseSync): void {
  const until = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      return handle.exec('PRAGMA journal_mode = WAL');
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_RETRY_MS);
    }
  }
}

function migrate(handle: DatabaseSync, path: string, migrations: readonly string[]): void {
  const done = () => pragma(handle, 'user_version');
  if (done() > migrations.length) {
    throw new SkeinError(
      'STATE_TOO_NEW',
      `${path} has schema ${done()}, and this Skein reads schemas up to ${migrations.length}.`,
    );
  }
  while (done() < migrations.length) {
    handle.exec('BEGIN IMMEDIATE');
    // Another process may have taken the step meanwhile.
    const step = done();
    const migration = migrations[step];
    if (migration !== undefined) {
      handle.exec(
        `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${step + 1}; ${migration}`,
      );
    }
    handle.exec('COMMIT');
  }
}

function pragma(handle: DatabaseSync, name: 'application_id' | 'user_version'): number {
  const row = handle.prepare(`PRAGMA ${name}`).get() as Record<string, number>;
  return row[name] ?? 0;
}

function transactional(handle: DatabaseSync, path: string): Database {
  const begin = handle.prepare('BEGIN IMMEDIATE');
  const commit = handle.prepare('COMMIT');
  let level: Survives = 'power-cut';
  return {
    prepare: (sql) => handle.prepare(sql),
    read(query) {
      try {
        return query();
      } catch (error) {
        throw translated(error, path);
      }
    },
    write(survives, change) {
      try {
        if (survives !== level) {
          handle.exec(`PRAGMA synchronous = ${survives === 'power-cut' ? 'FULL' : 'NORMAL'}`);
          level = survives;
        }
        begin.run();
        const result = change();
        commit.run();
        return result;
      } catch (error) {
        // On a full disk SQLite has rolled back already; after any other failure, roll back here.
        if (handle.isTransaction) handle.exec('ROLLBACK');
        throw translated(error, path);
      }
    },
    close() {
      if (handle.isOpen) handle.close();
    },
  };
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error &&
  'errcode' in error &&
  typeof error.errcode === 'number' &&
  (error.errcode & 0xff) === SQLITE_BUSY;

/** An extended result code that means a full disk, which its low byte alone does not show (sqlite.org/rescode.html). */
const IOERR_SHMSIZE = 4874;
const SQLITE_FULL = 13;

function translated(error: unknown, path: string): unknown {
  const failure = (code: ErrorCode, what: string) => new SkeinError(code, what, { cause: error });
  if (error instanceof SyntaxError) {
    return failure('STATE_CORRUPT', `${path} holds a row that is not valid JSON.`);
  }
  const { code, errcode, message } = error as NodeJS.ErrnoException & { errcode?: number };
  const result = errcode === IOERR_SHMSIZE ? SQLITE_FULL : errcode && errcode & 0xff;
  switch (result ?? code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case SQLITE_FULL:
      return failure('STORAGE_FULL', `The disk under ${path} is full.`);
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return failure('STATE_CORRUPT', `${path} cannot be read as a database: ${message}.`);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOENT':
    case 3: // SQLITE_PERM
    case 8: // SQLITE_READONLY
    case 14: // SQLITE_CANTOPEN
      return failure('DATA_FOLDER_UNUSABLE', `${path} cannot be opened for writing: ${message}.`);
    case SQLITE_BUSY: {
      const held = `${path} is held by another process for more than ${BUSY_TIMEOUT_MS} ms.`;
      return failure('DATA_FOLDER_LOCKED', held);
    }
    default:
      return error;
  }
}
