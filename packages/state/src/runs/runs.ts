/**
 * The runs that a node knows: those that were reported to it, and those that lie in its data folder.
 * The latter are looked up whenever somebody asks, because whoever trains there may have no key, or
 * have trained while no node ran.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run, RunStatus, RunSummary } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { State } from '../contract.ts';
import { isAlive, readRun, removeRunFolder, runPath, standing } from './run-folder.ts';

export interface Runs {
  /** Newest first. */
  list(filter: { status?: RunStatus; limit: number }): Promise<RunSummary[]>;
  /** @throws SkeinError RUN_UNKNOWN. */
  get(id: string): Promise<Run>;
  put(run: Run): Promise<RunSummary>;
  /** Forgets a run, with its files if it lies here. @throws SkeinError RUN_UNKNOWN, RUN_ACTIVE. */
  remove(id: string): Promise<void>;
}

export function createRuns(
  state: Pick<State, 'putRun' | 'runs' | 'run' | 'removeRun'>,
  dataFolder: string,
): Runs {
  /**
   * The mark of each record as it was adopted. Time alone is no mark: two changes may fall into one
   * tick of the file system’s clock, but each is a file of its own that takes the place of the last.
   */
  const adopted = new Map<string, string>();

  async function adopt(): Promise<void> {
    for (const id of await readdir(join(dataFolder, 'runs')).catch(() => [])) {
      const path = runPath(dataFolder, id);
      const changed = await stat(join(path, 'run.json')).then(
        ({ mtimeMs, ino, size }) => `${mtimeMs} ${ino} ${size}`,
        () => undefined,
      );
      if (changed === undefined || adopted.get(id) === changed) continue;
      const run = await readRun(path);
      if (run?.id === id) await state.putRun(run);
      adopted.set(id, changed);
    }
  }

  return {
    async list({ status, limit }) {
      await adopt();
      // A run that is said to be running may have ended, so the status is compared afterwards.
      const open = status === 'running' || status === 'interrupted';
      const known = await state.runs(
        status === undefined || open ? { limit: open ? 1000 : limit } : { status, limit },
      );
      return known
        .map((run) => standing(run, isAlive))
        .filter((run) => status === undefined || run.status === status)
        .slice(0, limit);
    },
    async get(id) {
      await adopt();
      const run = await state.run(id);
      if (run === undefined) throw new SkeinError('RUN_UNKNOWN', `There is no run "${id}".`);
      return standing(run, isAlive);
    },
    put: (run) => state.putRun(run),
    async remove(id) {
      await adopt();
      const here = (await readRun(runPath(dataFolder, id))) !== undefined;
      if (here) await removeRunFolder(dataFolder, id);
      adopted.delete(id);
      if (await state.removeRun(id)) return;
      if (!here) throw new SkeinError('RUN_UNKNOWN', `There is no run "${id}".`);
    },
  };
}
