/**
 * Removes artifacts that nothing needs: what was uploaded and never used, and what jobs that are
 * forgotten have left.
 *
 * What counts as needed is found as a conservative garbage collector finds it: every digest anywhere
 * in a kept job or schedule, and every digest anywhere in a needed artifact of JSON (`artifact-names.ts`),
 * so that a checkpoint's listing keeps its files.
 *
 * An artifact goes only when it was unnamed at every look for a day, because what has just been
 * stored is named a moment later; and while a task runs that had begun before, since what a task has
 * stored may be named by nothing until it returns. It is for the store that is a node's own: where others store too, this node cannot
 * see what they still need.
 */
import type { ArtifactStore } from '@skein/state';
import { createArtifactNames, digestsIn, type ArtifactNames } from './artifact-names.ts';
import type { Job, JobStore } from './contract.ts';
import type { WorkerLog } from './worker/contract.ts';

const LOOK_EVERY_MS = 3_600_000;
const UNNAMED_FOR_MS = 24 * 3_600_000;
const PAGE = 500;

type Jobs = Pick<JobStore, 'jobs' | 'schedules'>;

export interface Sweep {
  /** One look. @returns what it removed. */
  look(): Promise<string[]>;
  /** Counts the day of an artifact anew: it was stored again, and will be named in a moment. */
  spare(digest: string): void;
}

/** Looks once an hour. @returns the store to put artifacts into, and what ends the looking. */
export function sweepArtifacts(
  store: Jobs,
  artifacts: ArtifactStore,
  log: WorkerLog,
): { readonly artifacts: ArtifactStore; readonly stop: () => void } {
  const sweep = createSweep(store, artifacts, Date.now);
  const timer = setInterval(() => {
    sweep.look().catch((error: unknown) => {
      log('warn', 'Artifacts that nobody needs could not be removed.', { err: error });
    });
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    artifacts: {
      ...artifacts,
      async put(content, maxBytes) {
        const stored = await artifacts.put(content, maxBytes);
        sweep.spare(stored.digest);
        return stored;
      },
    },
    stop: () => clearInterval(timer),
  };
}

/** @param now milliseconds since the epoch. */
export function createSweep(
  store: Jobs,
  artifacts: Pick<ArtifactStore, 'list' | 'remove' | 'read' | 'sizeOf'>,
  now: () => number,
): Sweep {
  /** Since when each artifact has been unnamed. */
  let unnamed = new Map<string, number>();
  /** Stored again since the look began. */
  let spared = new Set<string>();
  const names = createArtifactNames(artifacts);
  return {
    async look() {
      spared = new Set();
      // The list comes first: what is stored after it is not judged by this look.
      const stored = new Set(await artifacts.list());
      const { roots, runningSince } = await lookAtJobs(store);
      const named = await closure(roots, stored, names.of);
      names.keep(named);
      const at = now();
      const still = new Map<string, number>();
      const removed: string[] = [];
      for (const digest of stored) {
        if (named.has(digest) || spared.has(digest)) continue;
        const since = unnamed.get(digest) ?? at;
        // What came after it began may be its own, to be named by its outcome.
        if (at - since < UNNAMED_FOR_MS || runningSince <= since) {
          still.set(digest, since);
          continue;
        }
        await artifacts.remove(digest);
        removed.push(digest);
      }
      for (const digest of spared) still.delete(digest);
      unnamed = still;
      return removed;
    },
    spare(digest) {
      spared.add(digest);
      unnamed.delete(digest);
    },
  };
}

interface Roots {
  readonly roots: ReadonlySet<string>;
  /** When the oldest attempt of a task that still runs began; Infinity: none runs. */
  readonly runningSince: number;
}

/** Every digest anywhere in a job: its inputs, its checkpoint, its outputs, and what tasks return. */
async function lookAtJobs(store: Jobs): Promise<Roots> {
  const roots = new Set<string>();
  let runningSince = Number.POSITIVE_INFINITY;
  const note = (value: unknown): void => {
    for (const digest of digestsIn(JSON.stringify(value))) roots.add(digest);
  };
  note(await store.schedules());
  for (let after: string | undefined; ;) {
    const page = await store.jobs({ limit: PAGE, after });
    note(page.jobs);
    for (const job of page.jobs) runningSince = Math.min(runningSince, startOf(job));
    if (page.next === undefined) return { roots, runningSince };
    after = page.next;
  }
}

/** A command stores its outputs when it has ended, and the checkpoints that it replaces are nobody's. */
function startOf({ state, work, startedAt }: Job): number {
  if (state !== 'running' || work.kind !== 'task') return Number.POSITIVE_INFINITY;
  return startedAt ?? 0;
}

/** The roots and everything that what is stored of them names. */
async function closure(
  roots: ReadonlySet<string>,
  stored: ReadonlySet<string>,
  namesIn: ArtifactNames['of'],
): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (named.has(digest) || !stored.has(digest)) continue;
    named.add(digest);
    open.push(...(await namesIn(digest)));
  }
  return named;
}
