/**
 * Files that other users of the machine must not read: keys, jobs with their environment,
 * artifacts. The mode does not depend on the umask, since the folder around them may be readable by
 * all users.
 */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/** Restricts a folder and the files directly in it to their owner, including files of an older version. */
export async function tightenFolder(folder: string): Promise<void> {
  await chmod(folder, FOLDER_MODE);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // Do not follow a link: it may lead outside of the folder.
    if (!entry.isDirectory() && !entry.isFile()) continue;
    const path = join(folder, entry.name);
    // The file may have been removed; the mode of the folder keeps other users out.
    await keepForOwner(path).catch(() => undefined);
  }
}

/** The owner keeps all rights: the folder may have scripts of the user. */
async function keepForOwner(path: string): Promise<void> {
  await chmod(path, (await lstat(path)).mode & FOLDER_MODE);
}

/**
 * Creates the file if it is missing. SQLite gives its `-wal` and `-shm` files the same mode.
 *
 * An existing file is not opened: closing it would release every lock that this process has on it.
 * @returns whether it was missing.
 */
export function createPrivateFile(path: string): boolean {
  try {
    closeSync(openSync(path, 'ax', FILE_MODE));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** Restricts an existing file to its owner; nothing that is not a file. */
export function tightenFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) chmodSync(path, FILE_MODE);
}

/** Creates the file if it is missing, and restricts an existing one: only for a name of our own. */
export function makePrivateFile(path: string): void {
  if (!createPrivateFile(path)) tightenFile(path);
}
