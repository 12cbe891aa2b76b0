/**
 * Reads files out of a workspace: a tar program in a sandbox writes them as a stream, which is
 * parsed here as hostile input. The host never opens a path of the guest.
 */
import { SkeinError } from '@skein/api';
import type { CollectedFile, RunningCommand } from '../contract.ts';
import { readArchive, ArchiveError } from './read.ts';
import { checkPath, parentsOf } from './write.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * @param start runs a program over the workspace, in its folder: a program of the driver while no
 *   guest runs, or one with the rights of the guest while it runs.
 * @throws SkeinError SANDBOX_OUTPUT_MISSING after the files that exist, SANDBOX_OUTPUT_TOO_LARGE.
 */
export async function* collectFiles(
  paths: readonly string[],
  maxBytes: number,
  start: (argv: readonly string[]) => RunningCommand,
): AsyncGenerator<CollectedFile> {
  for (const path of paths) checkPath(path);
  if (paths.length === 0) return;
  const missing = new Set(paths);
  const parents = new Set(paths.flatMap(parentsOf));
  /**
   * Parents that are not directories, perhaps links: files that the program found behind them are
   * not the guest's.
   */
  const blocked = new Set<string>();
  let left = maxBytes;
  const archiver = start(tarCommand(paths, parents));
  archiver.stderr.resume();
  try {
    for await (const entry of readArchive(archiver.stdout as AsyncIterable<Uint8Array>)) {
      const path = pathOf(entry.name);
      if (path === undefined || parentsOf(path).some((parent) => blocked.has(parent))) continue;
      if (parents.has(path) && entry.type !== '5') blocked.add(path);
      else if (entry.type === '0' || entry.type === '5') missing.delete(path);
      if (entry.type !== '0') continue;
      left -= entry.sizeBytes;
      if (left < 0) {
        throw new SkeinError(
          'SANDBOX_OUTPUT_TOO_LARGE',
          `The outputs are larger than ${maxBytes} bytes; ${JSON.stringify(path)} with its ${entry.sizeBytes} bytes no longer fits`,
        );
      }
      yield { path, sizeBytes: entry.sizeBytes, content: entry.content };
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    const { endedBy } = await archiver.kill();
    throw new Error(
      `the workspace cannot be read (${error.message}; its reader ended by ${endedBy})`,
      { cause: error },
    );
  } finally {
    await archiver.kill();
  }
  if (missing.size > 0) {
    const names = [...missing].map((path) => JSON.stringify(path)).join(', ');
    throw new SkeinError(
      'SANDBOX_OUTPUT_MISSING',
      `The command left no regular file or directory at ${names}.`,
    );
  }
}

/**
 * Names each parent on its own first, so that a parent that is not a directory is seen before the
 * files behind it.
 */
function tarCommand(paths: readonly string[], parents: ReadonlySet<string>): string[] {
  const named = (path: string): string => `--add-file=./${path}`;
  return [
    'tar',
    '--create',
    '--file=-',
    '--format=gnu',
    '--hard-dereference',
    '--numeric-owner',
    // Else tar reads a backslash in a name as the begin of an escape, and searches for another file.
    '--no-unquote',
    '--no-recursion',
    ...[...parents].map(named),
    '--recursion',
    ...paths.map(named),
  ];
}

/** The path of an entry; undefined for a name that no caller could use: not UTF-8, or not inside. */
function pathOf(name: Uint8Array): string | undefined {
  try {
    const path = utf8.decode(name).replace(/^\.\//, '').replace(/\/$/, '');
    checkPath(path);
    return path;
  } catch {
    return undefined;
  }
}
