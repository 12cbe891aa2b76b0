/**
 * A training run on this machine: a folder of its own under the data folder.
 *
 *   runs/<id>/run.json                the record, replaced whole
 *             plan.json               what a restart needs
 *             start.onnx              the model that training began with
 *             checkpoint.safetensors  the state of training
 *             model.onnx              the trained model
 *             batch.safetensors       the batch whose loss was not a number
 *             lock                    held by the training process
 *
 * A training process needs no node. The node that holds the data folder reads the records; a
 * training process does not report to it.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { makeFolders } from '@skein/api/folders';
import { isAlive } from '@skein/api/machine';
import { Run } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { folderError, type FolderLock, lockFolder } from '../disk/folder-lock.ts';

export interface RunFolder {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  /** The path of a file in the folder. */
  file(name: string): string;
  /** @throws SkeinError STORAGE_FULL. */
  record(run: Run): Promise<void>;
  /** Lets another process continue the run. Idempotent. */
  close(): void;
}

export function runPath(dataFolder: string, id: string): string {
  return join(dataFolder, 'runs', id);
}

/**
 * Creates the run's folder if it is missing, and takes its lock.
 * @throws SkeinError RUN_ACTIVE, DATA_FOLDER_UNUSABLE, STORAGE_FULL.
 */
export async function openRunFolder(dataFolder: string, id: string): Promise<RunFolder> {
  const path = runPath(dataFolder, id);
  let lock: FolderLock | undefined;
  try {
    await makeFolders(path, 0o700);
    // Data and models do not belong in a repository.
    await writeFile(join(dataFolder, '.gitignore'), '*\n');
    lock = lockFolder(path);
  } catch (error) {
    throw folderError(error, path);
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
        throw folderError(error, path);
      }
    },
    close() {
      taken.release();
    },
  };
}

/** The current record of a run; `undefined` if there is none that can be read. */
export async function readRun(path: string): Promise<Run | undefined> {
  try {
    const run = Run.parse(
      readJson(await readFile(join(path, 'run.json'), 'utf8'), JSON_BOUNDS.stored),
    );
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

/** Removes a run and all its files. @throws SkeinError RUN_ACTIVE while a process trains it. */
export async function removeRunFolder(dataFolder: string, id: string): Promise<void> {
  const folder = await openRunFolder(dataFolder, id);
  folder.close();
  await rm(folder.path, { recursive: true, force: true });
}

/** A run that is recorded as running but has no process is interrupted. */
export function standing<R extends Pick<Run, 'status' | 'reason' | 'process'>>(
  run: R,
  alive: (pid: number) => boolean,
): R {
  const here = run.process.host === hostname();
  if (run.status !== 'running' || !here || alive(run.process.pid)) return run;
  const reason = `Its process ${run.process.pid} ended without recording its outcome.`;
  return { ...run, status: 'interrupted', reason };
}
