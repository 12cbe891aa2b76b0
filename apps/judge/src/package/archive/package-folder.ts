/**
 * The files of a problem package, read from a folder.
 *
 * A package is written by a problem setter, not by a contestant, but it is still untrusted input:
 * names follow the format's rule, symbolic links must stay inside, only regular files are read, and
 * every size is bounded. Files that the format hides from a judge (dot files, odd names) are not
 * listed.
 */
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { invalid } from '../invalid.ts';

/** The format's rule for names, and `+`, because the format gives the ending `.c++` to C++. */
export const FILE_NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_.+-]{0,254}$/;
const MAX_FILES = 50_000;
const MAX_DEPTH = 16;
/** Metadata and programs are read whole; test data are not bounded by this. */
const MAX_TEXT_BYTES = 16 * 2 ** 20;

export interface PackageEntry {
  /** Relative to the package, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly executable: boolean;
}

export interface PackageFolder {
  readonly root: string;
  readonly shortName: string;
  /** Sorted by path. */
  readonly entries: readonly PackageEntry[];
  /** Names that the format ignores; reported, because they may be mistakes. */
  readonly ignored: readonly string[];
  has(path: string): boolean;
  /** Entries below a folder (`data/secret`), at any depth. */
  under(folder: string): PackageEntry[];
  /** The whole file. @throws SkeinError PROBLEM_INVALID when it is missing or too large. */
  read(path: string, maxBytes?: number): Promise<Uint8Array>;
  readText(path: string): Promise<string>;
}

/** @throws SkeinError PROBLEM_INVALID. */
export async function openPackageFolder(folder: string): Promise<PackageFolder> {
  const root = await realpath(resolve(folder)).catch(() => {
    throw invalid(folder, 'there is no such folder');
  });
  if (!(await stat(root)).isDirectory()) throw invalid(folder, 'it is not a folder');
  const entries = new Map<string, PackageEntry>();
  const ignored: string[] = [];

  async function walk(at: string, depth: number, above: readonly string[]): Promise<void> {
    if (depth > MAX_DEPTH) throw invalid(at, `folders are nested more than ${MAX_DEPTH} deep`);
    for (const item of await readdir(join(root, at), { withFileTypes: true })) {
      const path = at === '' ? item.name : `${at}/${item.name}`;
      if (!FILE_NAME.test(item.name)) {
        if (!item.name.startsWith('.')) ignored.push(path);
        continue;
      }
      const real = await realpath(join(root, path)).catch(() => {
        throw invalid(path, 'the symbolic link leads nowhere');
      });
      if (real !== root && !real.startsWith(root + sep)) {
        throw invalid(path, 'the symbolic link leads out of the package');
      }
      const status = await stat(real);
      if (status.isDirectory()) {
        if (above.includes(real)) throw invalid(path, 'the symbolic link makes a cycle');
        await walk(path, depth + 1, [...above, real]);
      } else if (status.isFile()) {
        const executable = (status.mode & constants.S_IXUSR) !== 0;
        entries.set(path, { path, sizeBytes: status.size, executable });
        if (entries.size > MAX_FILES) throw invalid(path, `more than ${MAX_FILES} files`);
      } else {
        throw invalid(path, 'it is neither a file nor a folder');
      }
    }
  }
  await walk('', 0, [root]);

  const sorted = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const read = async (path: string, maxBytes = MAX_TEXT_BYTES): Promise<Uint8Array> => {
    const entry = entries.get(path);
    if (entry === undefined) throw invalid(path, 'the file is missing');
    // One handle for the size and the bytes, so that a growing file is still bounded.
    const handle = await open(join(root, path), 'r');
    try {
      const { size } = await handle.stat();
      if (size > maxBytes) {
        throw invalid(path, `it has ${size} bytes, more than the ${maxBytes} that are read`);
      }
      return new Uint8Array(await handle.readFile());
    } finally {
      await handle.close();
    }
  };
  return {
    root,
    shortName: basename(root),
    entries: sorted,
    ignored,
    has: (path) => entries.has(path),
    under: (folder) => sorted.filter((entry) => entry.path.startsWith(`${folder}/`)),
    read,
    async readText(path) {
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(await read(path));
      } catch (error) {
        if (error instanceof TypeError) throw invalid(path, 'it is not UTF-8');
        throw error;
      }
    },
  };
}
