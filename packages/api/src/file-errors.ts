/** Errors of files that a user names: the file, and the reason in plain words. */
import { SkeinError } from './errors.ts';

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
  const code = (cause as { readonly code?: string } | null)?.code;
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
  // For a folder that is to be made.
  EEXIST: 'a part of the path is not a folder',
};
