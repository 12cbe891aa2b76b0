/** Files that the user names on the command line. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { unreadable } from '@skein/api/file-errors';

/** @throws SkeinError FILE_UNREADABLE, saying which file and why. */
export async function readGivenFile(cwd: string, path: string): Promise<Buffer> {
  try {
    return await readFile(resolve(cwd, path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The absolute path of a regular file. @throws SkeinError FILE_UNREADABLE. */
export async function givenFile(
  cwd: string,
  path: string,
): Promise<{ path: string; sizeBytes: number }> {
  const absolute = resolve(cwd, path);
  try {
    const found = await stat(absolute);
    if (!found.isFile()) throw new Error('it is not a file');
    return { path: absolute, sizeBytes: found.size };
  } catch (error) {
    throw unreadable(path, error);
  }
}
