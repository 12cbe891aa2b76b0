/**
 * The files of a problem package, from a folder of the disk or from memory.
 *
 * A package is written by a problem setter, not by a contestant, but it is still untrusted input:
 * names follow the format's rule, symbolic links must stay inside, only regular files are read, and
 * every size is bounded. Files that the format hides from a judge (dot files, odd names) are not
 * listed, but for the time limit that DOMjudge writes.
 */
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { invalid } from '../invalid.ts';

/** DOMjudge's time limit, at the root of the package. */
export const TIME_LIMIT_FILE = '.timelimit';
/** The format's rule for names, and `+`, because the format gives the ending `.c++` to C++. */
export const FILE_NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_.+-]{0,254}$/;
/** Names of all kinds: links make a few folders into any number of paths. */
const MAX_NAMES = 50_000;
export const MAX_DEPTH = 16;
/** Metadata and statements, which are read whole. */
const MAX_TEXT_BYTES = 2 ** 20;
/** All that is read of one package; a problem holds its programs. Test data are not read here. */
const MAX_HELD_BYTES = 256 * 2 ** 20;
/** Largest size of any file: Node reads no larger one at once. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

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
  find(path: string): PackageEntry | undefined;
  /** Entries below a folder (`data/secret`), at any depth. */
  under(folder: string): PackageEntry[];
  /** The whole file. @throws SkeinError PROBLEM_INVALID when it is missing or too large. */
  read(path: string, maxBytes?: number): Promise<Uint8Array>;
  /** Counts bytes beyond those that were read. @throws SkeinError PROBLEM_INVALID when all are too many. */
  hold(path: string, bytes: number): void;
  readText(path: string, maxBytes?: number): Promise<string>;
}

/** Where the files of a package are. Paths are relative to the package; the package itself is ''. */
export interface PackageFiles {
  /** How errors and the problem name the folder. */
  readonly root: string;
  /** Names of the entries of a folder, in any order. */
  names(folder: string): Promise<readonly string[]>;
  /** The file at the end of a path, links followed. @throws SkeinError PROBLEM_INVALID for a link out of the package. */
  look(path: string): Promise<FoundFile>;
  /** @throws SkeinError PROBLEM_INVALID for more bytes. */
  read(path: string, maxBytes: number): Promise<Uint8Array>;
}

export interface FoundFile {
  readonly kind: 'file' | 'folder' | 'other';
  /** The same for every path that leads there. */
  readonly real: string;
  readonly sizeBytes: number;
  readonly executable: boolean;
}

/** @throws SkeinError PROBLEM_INVALID. */
export async function openPackageFolder(folder: string): Promise<PackageFolder> {
  return listPackage(await filesOnDisk(folder));
}

/** @throws SkeinError PROBLEM_INVALID. */
export async function listPackage(files: PackageFiles): Promise<PackageFolder> {
  const { root } = files;
  const entries = new Map<string, PackageEntry>();
  const ignored: string[] = [];
  let names = 0;

  async function walk(at: string, depth: number, above: readonly string[]): Promise<void> {
    if (depth > MAX_DEPTH) throw invalid(at, `folders are nested more than ${MAX_DEPTH} deep`);
    for (const name of await files.names(at)) {
      if (++names > MAX_NAMES) throw invalid(at, `more than ${MAX_NAMES} files`);
      const path = at === '' ? name : `${at}/${name}`;
      if (!FILE_NAME.test(name) && path !== TIME_LIMIT_FILE) {
        if (!name.startsWith('.')) ignored.push(path);
        continue;
      }
      const { kind, real, sizeBytes, executable } = await files.look(path);
      if (kind === 'folder') {
        if (above.includes(real)) throw invalid(path, 'the symbolic link makes a cycle');
        await walk(path, depth + 1, [...above, real]);
      } else if (kind === 'file') {
        if (sizeBytes > MAX_FILE_BYTES) {
          throw invalid(path, `it has ${sizeBytes} bytes; a file may have ${MAX_FILE_BYTES}`);
        }
        entries.set(path, { path, sizeBytes, executable });
      } else {
        throw invalid(path, 'it is neither a file nor a folder');
      }
    }
  }
  await walk('', 0, [root]);

  const sorted = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const read = async (path: string, maxBytes = MAX_TEXT_BYTES): Promise<Uint8Array> => {
    if (!entries.has(path)) throw invalid(path, 'the file is missing');
    const bytes = await files.read(path, maxBytes);
    hold(path, bytes.length);
    return bytes;
  };
  let held = 0;
  const hold = (path: string, bytes: number): void => {
    held += bytes;
    if (held > MAX_HELD_BYTES) {
      throw invalid(path, `programs and texts have more than ${MAX_HELD_BYTES} bytes in all`);
    }
  };
  return {
    root,
    shortName: basename(root),
    entries: sorted,
    ignored,
    has: (path) => entries.has(path),
    find: (path) => entries.get(path),
    // `0` follows `/`: every path that begins with the folder and a slash is between the two.
    under: (folder) =>
      sorted.slice(firstFrom(sorted, `${folder}/`), firstFrom(sorted, `${folder}0`)),
    read,
    hold,
    async readText(path, maxBytes) {
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(await read(path, maxBytes));
      } catch (error) {
        if (error instanceof TypeError) throw invalid(path, 'it is not UTF-8');
        throw error;
      }
    },
  };
}

/** Index of the first entry whose path is not before the given one. */
function firstFrom(sorted: readonly PackageEntry[], path: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]!.path < path) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function filesOnDisk(folder: string): Promise<PackageFiles> {
  const root = await realpath(resolve(folder)).catch(() => {
    throw invalid(folder, 'there is no such folder');
  });
  if (!(await stat(root)).isDirectory()) throw invalid(folder, 'it is not a folder');
  return {
    root,
    names: (at) => readdir(join(root, at)),
    async look(path) {
      const real = await realpath(join(root, path)).catch(() => {
        throw invalid(path, 'the symbolic link leads nowhere');
      });
      if (real !== root && !real.startsWith(root + sep)) {
        throw invalid(path, 'the symbolic link leads out of the package');
      }
      const status = await stat(real);
      const kind = status.isDirectory() ? 'folder' : status.isFile() ? 'file' : 'other';
      const executable = (status.mode & constants.S_IXUSR) !== 0;
      return { kind, real, sizeBytes: status.size, executable };
    },
    async read(path, maxBytes) {
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
    },
  };
}
