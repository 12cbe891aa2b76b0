/**
 * The lock of a folder that one process at a time may use. It belongs to the kernel and is taken
 * through SQLite, because Node has no file locks. It is released when the process ends, even by
 * `kill -9`, and two processes that start at once cannot both take it. A pid file guarantees neither.
 */
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { SkeinError } from '@skein/api/errors';
import { sqlite } from '../sqlite/sqlite.ts';
import { makePrivateFile } from './private-files.ts';

export interface FolderLock {
  /** Idempotent. */
  release(): void;
}

/** Keeps the handles from the garbage collector, which would close them and so release the lock. */
const held = new Set<DatabaseSync>();

/**
 * @param name of the lock's file: locks of other names do not exclude each other.
 * @returns undefined when another process holds it.
 */
export function lockFolder(folder: string, name = 'lock'): FolderLock | undefined {
  const path = join(folder, name);
  makePrivateFile(path);
  const handle = new sqlite.DatabaseSync(path, { timeout: 0 });
  try {
    handle.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    handle.close();
    if ((error as { errcode?: number }).errcode === 5) return undefined; // SQLITE_BUSY
    throw error;
  }
  held.add(handle);
  return {
    release() {
      if (held.delete(handle)) handle.close();
    },
  };
}

/**
 * The absolute path of a folder that a caller names.
 * @throws SkeinError DATA_FOLDER_UNUSABLE: an empty path would be the working directory.
 */
export function folderPath(path: string): string {
  if (typeof path === 'string' && path !== '') return resolve(path);
  throw new SkeinError(
    'DATA_FOLDER_UNUSABLE',
    `The path of a data folder must be a text that is not empty, but it is ${typeof path === 'string' ? 'empty' : typeof path}.`,
  );
}

/** A failure to read or write a folder, as an error for its user. */
export function folderError(error: unknown, folder: string): unknown {
  if (error instanceof SkeinError) return error;
  const { code, errcode, message } = error as { code?: string; errcode?: number; message: string };
  const options = { cause: error };
  if (code === 'ENOSPC' || code === 'EDQUOT' || errcode === 13) {
    return new SkeinError('STORAGE_FULL', `The disk under ${folder} is full.`, options);
  }
  const what = `The folder ${folder} cannot be used: ${message}.`;
  return new SkeinError('DATA_FOLDER_UNUSABLE', what, options);
}
