/**
 * Files that other users of the machine may not read: keys, jobs with their environment, artifacts.
 * The umask does not decide about them, since the folder around them may be open to everyone.
 */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/** Gives a folder, and what lies directly in it, to its owner alone; what an older version left open, too. */
export async function tightenFolder(folder: string): Promise<void> {
  await chmod(folder, FOLDER_MODE);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // A link is not followed: it may lead to what is not ours.
    const mode = entry.isDirectory() ? FOLDER_MODE : entry.isFile() ? FILE_MODE : undefined;
    if (mode === undefined) continue;
    // A file may have gone meanwhile, and the folder keeps others out already.
    await chmod(join(folder, entry.name), mode).catch(() => undefined);
  }
}

/**
 * Makes the file where it is missing. SQLite gives its `-wal` and `-shm` files the same mode.
 *
 * A file that exists is not opened: to close it would give up every lock that this process has on it.
 */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', FILE_MODE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    chmodSync(path, FILE_MODE);
  }
}
