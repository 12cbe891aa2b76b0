/**
 * The training runs of a node: those reported to it, and those in its data folder. The latter are
 * read at each request, because the process that trains may have no key, or may have run without a
 * node.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run, RunStatus, RunSummary } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { isAlive } from '@skein/api/machine';
import type { RunPlace, State } from '../contract.ts';
import { readRun, removeRunFolder, runPath, standing } from './run-folder.ts';

export interface Runs {
  /**
   * Newest first.
   * @param filter.after `next` of the page before.
   * @throws SkeinError REQUEST_INVALID when it is not from a page.
   */
  list(filter: {
    status?: RunStatus | undefined;
    limit: number;
    after?: string | undefined;
  }): Promise<{
    readonly runs: RunSummary[];
    readonly next?: string;
  }>;
  /** @throws SkeinError RUN_UNKNOWN. */
  get(id: string): Promise<Run>;
  put(run: Run): Promise<RunSummary>;
  /** Removes a run, with its files if it is in the data folder. @throws SkeinError RUN_UNKNOWN, RUN_ACTIVE. */
  remove(id: string): Promise<void>;
}

/** Runs that may have ended unnoticed, and are checked for one page. */
const CHECKED = 1000;

export function createRuns(
  state: Pick<State, 'putRun' | 'runs' | 'run' | 'removeRun'>,
  dataFolder: string,
): Runs {
  /**
   * The stamp of each record when it was read. The modification time alone is not enough: two
   * changes may fall into one tick of the file system’s clock, but each change is a new file.
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
    async list({ status, limit, after }) {
      const place = after === undefined ? undefined : placeIn(after);
      await adopt();
      // A run that was recorded as running may have ended, so compare the status afterwards.
      const open = status === 'running' || status === 'interrupted';
      const asked = open ? Math.max(CHECKED, limit) : limit;
      const known = await state.runs({
        status: open ? undefined : status,
        after: place,
        limit: asked,
      });
      const found = known
        .map((run) => standing(run, isAlive))
        .filter((run) => status === undefined || run.status === status);
      const runs = found.slice(0, limit);
      const last = found.length > limit ? runs.at(-1) : known.at(-1);
      const isWhole = found.length <= limit && known.length < asked;
      return isWhole || last === undefined ? { runs } : { runs, next: nameOf(last) };
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

/** Where a page of the list ends. */
const nameOf = ({ startedAt, id }: RunPlace): string => `${startedAt} ${id}`;

function placeIn(name: string): RunPlace {
  const [startedAt = '', ...id] = name.split(' ');
  if (id.length > 0) return { startedAt, id: id.join(' ') };
  throw new SkeinError('REQUEST_INVALID', `"${name}" is not the end of a page.`);
}
