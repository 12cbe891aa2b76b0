/** Files that the user names on the command line. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SkeinError } from '@skein/api/errors';

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

export function unreadable(path: string, cause: unknown): SkeinError {
  return new SkeinError('FILE_UNREADABLE', `"${path}" cannot be read: ${reasonOf(cause)}.`, {
    cause,
  });
}

/** For a file that a command was asked to write. */
export function unwritable(path: string, cause: unknown): SkeinError {
  return new SkeinError('FILE_UNREADABLE', `"${path}" cannot be written: ${reasonOf(cause)}.`, {
    cause,
  });
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  return (
    (code === undefined ? undefined : REASONS[code]) ??
    (cause instanceof Error ? cause.message : String(cause))
  );
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'access is denied',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
  ENAMETOOLONG: 'its name is too long',
  ENOTDIR: 'a part of the path is not a folder',
};
