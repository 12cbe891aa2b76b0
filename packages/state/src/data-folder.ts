/**
 * The folder that a node keeps everything in, and the lock that makes it the only one there. Only
 * the user that the node runs as may look into it.
 *
 *   state.sqlite   versions, deployments, keys, history
 *   artifacts/     model files by digest
 *   node.json      who holds the folder: pid and url
 *   lock           an SQLite file under an exclusive transaction for as long as the node lives
 *   reserve        room for management on a full disk
 *
 * The lock is the kernel's, taken through SQLite because Node has no file locks of its own: it goes
 * when the process goes, even by `kill -9`, and two nodes that start at once cannot both have it.
 * A pid file could do neither.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SkeinError } from '@skein/api/errors';
import { openDiskReserve, type DiskReserve } from './disk-reserve.ts';
import { FOLDER_MODE, makePrivateFile, tightenFolder } from './private-files.ts';

export interface DataFolder {
  /** Absolute. */
  readonly root: string;
  readonly databasePath: string;
  readonly artifactsPath: string;
  /** Emptied when management finds the disk full, see `withReserve`. */
  readonly reserve: Pick<DiskReserve, 'release'>;
  /**
   * Notes where this node answers and with which certificate, for commands that find the folder taken.
   * @throws SkeinError STORAGE_FULL.
   */
  announce(url: string, certificate?: string): Promise<void>;
  /** Gives the folder back. Idempotent. */
  close(): Promise<void>;
}

export interface NodeNote {
  readonly pid: number;
  /** Absent while the node is starting. */
  readonly url?: string;
  /** PEM that it answers with; absent without TLS. */
  readonly certificate?: string | undefined;
}

/** Keeps the handles from the garbage collector, which would close them and so give up the lock. */
const held = new Set<DatabaseSync>();

/**
 * Makes the folder where needed and takes its lock.
 * @param path usually `.skein`; relative to the working directory.
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, STORAGE_FULL.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const root = resolve(path);
  const artifactsPath = join(root, 'artifacts');
  let lock: DatabaseSync | undefined;
  let reserve: DiskReserve | undefined;
  try {
    await mkdir(artifactsPath, { recursive: true, mode: FOLDER_MODE });
    lock = takeLock(root);
    if (lock === undefined) throw await lockedBy(root);
    held.add(lock);
    await tightenFolder(root);
    reserve = await openDiskReserve(root);
    try {
      await writeNotes(root);
    } catch (error) {
      // A node must be able to come back on the disk that was filled under it.
      if (!(await reserve.release())) throw error;
      await writeNotes(root);
    }
  } catch (error) {
    reserve?.close();
    if (lock) release(lock);
    throw translated(error, root);
  }
  const taken = lock;
  const kept = reserve;
  return {
    root,
    databasePath: join(root, 'state.sqlite'),
    artifactsPath,
    reserve: kept,
    async announce(url, certificate) {
      await writeNote(root, { pid: process.pid, url, certificate }).catch((error: unknown) => {
        throw translated(error, root);
      });
    },
    async close() {
      if (!held.has(taken)) return;
      kept.close();
      await rm(join(root, 'node.json'), { force: true });
      release(taken);
    },
  };
}

/** The live node that holds the folder, as it has announced itself. */
export async function nodeOn(path: string): Promise<NodeNote | undefined> {
  try {
    const note = JSON.parse(await readFile(join(path, 'node.json'), 'utf8')) as NodeNote;
    process.kill(note.pid, 0);
    return note;
  } catch (error) {
    // EPERM: it is there, and another user's. Anything else: no note, half a note, or a note of the dead.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
    return JSON.parse(await readFile(join(path, 'node.json'), 'utf8')) as NodeNote;
  }
}

function takeLock(root: string): DatabaseSync | undefined {
  const path = join(root, 'lock');
  makePrivateFile(path);
  const handle = new DatabaseSync(path, { timeout: 0 });
  try {
    handle.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return handle;
  } catch (error) {
    handle.close();
    if ((error as { errcode?: number }).errcode === 5) return undefined; // SQLITE_BUSY
    throw error;
  }
}

function release(lock: DatabaseSync): void {
  held.delete(lock);
  lock.close();
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
  // Model files and databases have no place in a repository.
  await writeFile(join(root, '.gitignore'), '*\n', { mode: 0o600 });
  await writeNote(root, { pid: process.pid });
}

/** Renamed into place, so that a reader never sees half of it. */
async function writeNote(root: string, note: NodeNote): Promise<void> {
  const draft = join(root, 'node.json.new');
  await writeFile(draft, `${JSON.stringify(note)}\n`, { mode: 0o600 });
  await rename(draft, join(root, 'node.json'));
}

function translated(error: unknown, root: string): unknown {
  if (error instanceof SkeinError) return error;
  const { code, errcode, message } = error as { code?: string; errcode?: number; message: string };
  const options = { cause: error };
  if (code === 'ENOSPC' || code === 'EDQUOT' || errcode === 13) {
    return new SkeinError('STORAGE_FULL', `The disk under ${root} is full.`, options);
  }
  return new SkeinError(
    'DATA_FOLDER_UNUSABLE',
    `The data folder ${root} cannot be used: ${message}.`,
    options,
  );
}
