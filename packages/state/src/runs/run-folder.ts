/**
 * A training run on this machine: a folder of its own under the data folder.
 *
 *   runs/<id>/run.json                the record, replaced whole
 *             plan.json               what it takes to go on
 *             start.onnx              the model that training began with
 *             checkpoint.safetensors  where it stands
 *             model.onnx              the trained model
 *             batch.safetensors       the batch whose loss was no number
 *             lock                    held by the process that trains
 *
 * Whoever trains needs no node, and the node that has the data folder needs no word from whoever
 * trains: it reads the records. The lock is the kernel's, taken as that of the data folder is, so
 * `kill -9` gives it back.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Run } from '@skein/api';
import { SkeinError } from '@skein/api/errors';

export interface RunFolder {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  /** The path of a file in it. */
  file(name: string): string;
  /** @throws SkeinError STORAGE_FULL. */
  record(run: Run): Promise<void>;
  /** Lets another process go on with the run. Idempotent. */
  close(): void;
}

/** Keeps the handles from the garbage collector, which would give the locks up. */
const held = new Set<DatabaseSync>();

export function runPath(dataFolder: string, id: string): string {
  return join(dataFolder, 'runs', id);
}

/**
 * Makes the run's folder where needed, and takes its lock.
 * @throws SkeinError RUN_ACTIVE, DATA_FOLDER_UNUSABLE, STORAGE_FULL.
 */
export async function openRunFolder(dataFolder: string, id: string): Promise<RunFolder> {
  const path = runPath(dataFolder, id);
  let lock: DatabaseSync | undefined;
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    // As the node does: data and models have no place in a repository.
    await writeFile(join(dataFolder, '.gitignore'), '*\n');
    lock = takeLock(path);
  } catch (error) {
    throw translated(error, path);
  }
  if (lock === undefined) {
    const pid = (await readRun(path))?.process.pid;
    const who = pid === undefined ? 'another process' : `the process ${pid}`;
    throw new SkeinError('RUN_ACTIVE', `Run ${id} is being trained by ${who}.`);
  }
  const taken = lock;
  return {
    id,
    path,
    file: (name) => join(path, name),
    async record(run) {
      const draft = join(path, `run.json.${process.pid}.draft`);
      try {
        await writeFile(draft, `${JSON.stringify(run, null, 1)}\n`, { mode: 0o600 });
        await rename(draft, join(path, 'run.json'));
      } catch (error) {
        await rm(draft, { force: true });
        throw translated(error, path);
      }
    },
    close() {
      if (held.delete(taken)) taken.close();
    },
  };
}

/** The record of a run as it is known by now; `undefined` when there is none that can be read. */
export async function readRun(path: string): Promise<Run | undefined> {
  try {
    const run = Run.parse(JSON.parse(await readFile(join(path, 'run.json'), 'utf8')));
    return standing(run, isAlive);
  } catch {
    return undefined;
  }
}

/** The runs of a data folder, newest first. */
export async function readRuns(dataFolder: string): Promise<Run[]> {
  const ids = await readdir(join(dataFolder, 'runs')).catch(() => []);
  const runs = await Promise.all(ids.map((id) => readRun(runPath(dataFolder, id))));
  return runs
    .filter((run) => run !== undefined)
    .sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

/** Forgets a run and all its files. @throws SkeinError RUN_ACTIVE while somebody trains it. */
export async function removeRunFolder(dataFolder: string, id: string): Promise<void> {
  const folder = await openRunFolder(dataFolder, id);
  folder.close();
  await rm(folder.path, { recursive: true, force: true });
}

/** A run whose process ended without a word is interrupted, not running. */
export function standing<R extends Pick<Run, 'status' | 'reason' | 'process'>>(
  run: R,
  alive: (pid: number) => boolean,
): R {
  const here = run.process.host === hostname();
  if (run.status !== 'running' || !here || alive(run.process.pid)) return run;
  const reason = `Its process ${run.process.pid} ended without a word.`;
  return { ...run, status: 'interrupted', reason };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function takeLock(path: string): DatabaseSync | undefined {
  const handle = new DatabaseSync(join(path, 'lock'), { timeout: 0 });
  try {
    handle.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    held.add(handle);
    return handle;
  } catch (error) {
    handle.close();
    if ((error as { errcode?: number }).errcode === 5) return undefined; // SQLITE_BUSY
    throw error;
  }
}

function translated(error: unknown, path: string): unknown {
  const { code, errcode, message } = error as { code?: string; errcode?: number; message: string };
  const options = { cause: error };
  if (code === 'ENOSPC' || code === 'EDQUOT' || errcode === 13) {
    return new SkeinError('STORAGE_FULL', `The disk under ${path} is full.`, options);
  }
  return new SkeinError(
    'DATA_FOLDER_UNUSABLE',
    `The folder ${path} cannot be used: ${message}.`,
    options,
  );
}
