/**
 * Files that other users of the machine must not read: keys, jobs with their environment,
 * artifacts. The mode does not depend on the umask, since the folder around them may be readable by
 * all users.
 */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/** Restricts a folder and the files directly in it to their owner, including files of an older version. */
export async function tightenFolder(folder: string): Promise<void> {
  await chmod(folder, FOLDER_MODE);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // Do not follow a link: it may lead outside of the folder.
    const mode = entry.isDirectory() ? FOLDER_MODE : entry.isFile() ? FILE_MODE : undefined;
    if (mode === undefined) continue;
    // The file may have been removed; the mode of the folder keeps other users out.
    await chmod(join(folder, entry.name), mode).catch(() => undefined);
  }
}

/**
 * Creates the file if it is missing. SQLite gives its `-wal` and `-shm` files the same mode.
 *
 * An existing file is not opened: closing it would release every lock that this process has on it.
 */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', FILE_MODE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    chmodSync(path, FILE_MODE);
  }
}
