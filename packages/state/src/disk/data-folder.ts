/**
 * The folder with all data of a node, and the lock that admits one node at a time. Only the user
 * that the node runs as can read it.
 *
 *   state.sqlite   versions, deployments, keys, history
 *   artifacts/     model files by digest
 *   node.json      pid and URL of the node that holds the folder
 *   lock           held while the node runs
 *   reserve        disk space for management on a full disk
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import { openDiskReserve, type DiskReserve } from './disk-reserve.ts';
import { folderError, type FolderLock, folderPath, lockFolder } from './folder-lock.ts';
import { FOLDER_MODE, tightenFolder } from './private-files.ts';

export interface DataFolder {
  /** Absolute. */
  readonly root: string;
  readonly databasePath: string;
  readonly artifactsPath: string;
  /** Released when management finds the disk full, see `withReserve`. */
  readonly reserve: Pick<DiskReserve, 'release'>;
  /**
   * Writes the address and certificate of this node, for commands that find the folder locked.
   * @throws SkeinError STORAGE_FULL.
   */
  announce(url: string, certificate?: string): Promise<void>;
  /** Releases the folder. Idempotent. */
  close(): Promise<void>;
}

export interface NodeNote {
  readonly pid: number;
  /** Absent while the node is starting. */
  readonly url?: string;
  /** PEM of its certificate; absent without TLS. */
  readonly certificate?: string | undefined;
}

/**
 * Creates the folder if it is missing and takes its lock.
 * @param path usually `.skein`; relative to the working directory.
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, STORAGE_FULL.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const root = folderPath(path);
  const artifactsPath = join(root, 'artifacts');
  let lock: FolderLock | undefined;
  let reserve: DiskReserve | undefined;
  try {
    await makeFolders(artifactsPath, FOLDER_MODE);
    lock = lockFolder(root);
    if (lock === undefined) throw await lockedBy(root);
    await tightenFolder(root);
    reserve = await openDiskReserve(root);
    try {
      await writeNotes(root);
    } catch (error) {
      // A node must be able to restart on the disk that its callers have filled.
      if (!(await reserve.release())) throw error;
      await writeNotes(root);
    }
  } catch (error) {
    reserve?.close();
    lock?.release();
    throw folderError(error, root);
  }
  const taken = lock;
  const kept = reserve;
  let closed = false;
  return {
    root,
    databasePath: join(root, 'state.sqlite'),
    artifactsPath,
    reserve: kept,
    async announce(url, certificate) {
      await writeNote(root, { pid: process.pid, url, certificate }).catch((error: unknown) => {
        throw folderError(error, root);
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      kept.close();
      await rm(join(root, 'node.json'), { force: true });
      taken.release();
    },
  };
}

/** The live node that holds the folder, as node.json describes it. */
export async function nodeOn(path: string): Promise<NodeNote | undefined> {
  try {
    const note = readJson(
      await readFile(join(path, 'node.json'), 'utf8'),
      JSON_BOUNDS.stored,
    ) as NodeNote;
    process.kill(note.pid, 0);
    return note;
  } catch (error) {
    // EPERM: the process exists and belongs to another user. Otherwise node.json is missing,
    // incomplete or stale.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
    return readJson(
      await readFile(join(path, 'node.json'), 'utf8'),
      JSON_BOUNDS.stored,
    ) as NodeNote;
  }
}

async function lockedBy(root: string): Promise<SkeinError> {
  const note = await nodeOn(root);
  const who = note ? `the node with pid ${note.pid}` : 'another node';
  const where = note?.url ? `, which answers at ${note.url}` : '';
  return new SkeinError(
    'DATA_FOLDER_LOCKED',
    `The data folder ${root} is in use by ${who}${where}.`,
  );
}

async function writeNotes(root: string): Promise<void> {
  await ignoreInGit(join(root, '.gitignore'));
  await writeNote(root, { pid: process.pid });
}

/** Model files and databases do not belong in a repository. A file that exists may be the user's own. */
async function ignoreInGit(path: string): Promise<void> {
  try {
    await writeFile(path, '*\n', { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    await rm(path, { force: true });
    throw error;
  }
}

/** Writes and renames the file, so that a reader never sees an incomplete one. */
async function writeNote(root: string, note: NodeNote): Promise<void> {
  const draft = join(root, 'node.json.new');
  await writeFile(draft, `${JSON.stringify(note)}\n`, { mode: 0o600 });
  await rename(draft, join(root, 'node.json'));
}
