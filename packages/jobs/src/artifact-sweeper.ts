/**
 * Removes artifacts that nothing needs: uploads that were never used, and outputs of jobs whose
 * retention is over.
 *
 * Needed artifacts are found as a conservative garbage collector finds live objects: every digest
 * anywhere in a kept job, schedule or version of a data set, and every digest anywhere in a needed artifact of JSON
 * (`artifact-names.ts`). A checkpoint's listing therefore keeps its files.
 *
 * An artifact is removed only when every sweep of a day found it unnamed, because a new artifact is
 * named a moment after it is stored. It is also kept while a task runs that started before: nothing
 * may name the artifacts of a task until it returns. The sweeper runs only over a node's own store;
 * in a shared store this node does not know which artifacts other nodes need.
 */
import type { ArtifactStore } from '@skein/state';
import { createArtifactNames, digestsIn, type ArtifactNames } from './artifact-names.ts';
import type { Job, JobStore } from './contract.ts';
import type { WorkerLog } from './worker/contract.ts';

const LOOK_EVERY_MS = 3_600_000;
const UNNAMED_FOR_MS = 24 * 3_600_000;
const PAGE = 500;

type Jobs = Pick<JobStore, 'jobs' | 'schedules'>;

/** Everything else that names artifacts, as values of JSON. */
export type OtherNames = () => Promise<unknown>;

/**
 * Sweeps once an hour. @returns the store to put artifacts into, and a function that stops the
 * sweeps.
 */
export function sweepArtifacts(
  store: Jobs,
  artifacts: ArtifactStore,
  log: WorkerLog,
  others: OtherNames,
): { readonly artifacts: ArtifactStore; readonly stop: () => void } {
  const sweep = createSweep(store, artifacts, Date.now, others);
  const timer = setInterval(() => {
    sweep.look().catch((error: unknown) => {
      log('warn', 'Unneeded artifacts could not be removed.', { err: error });
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
  others: OtherNames,
) {
  /** Since when each artifact has been unnamed. */
  let unnamed = new Map<string, number>();
  /** Artifacts that were stored again since the sweep began. */
  let spared = new Set<string>();
  const names = createArtifactNames(artifacts);
  return {
    /** One sweep. @returns what it removed. */
    async look(): Promise<string[]> {
      spared = new Set();
      // List the artifacts first: this sweep does not judge an artifact that is stored later.
      const stored = new Set(await artifacts.list());
      const { roots, runningSince } = await lookAtJobs(store, others);
      const named = await closure(roots, stored, names.of);
      names.keep(named);
      const at = now();
      const still = new Map<string, number>();
      const removed: string[] = [];
      for (const digest of stored) {
        if (named.has(digest) || spared.has(digest)) continue;
        const since = unnamed.get(digest) ?? at;
        // An artifact that was stored after the task began may belong to it; its outcome will name
        // it.
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
    /** Restarts the day of an artifact: it was stored again, and will be named in a moment. */
    spare(digest: string): void {
      spared.add(digest);
      unnamed.delete(digest);
    },
  };
}

interface Roots {
  readonly roots: ReadonlySet<string>;
  /** When the oldest running attempt of a task began; Infinity when none runs. */
  readonly runningSince: number;
}

/** Every digest anywhere in a job: its inputs, its checkpoint, its outputs, and what tasks return. */
async function lookAtJobs(store: Jobs, others: OtherNames): Promise<Roots> {
  const roots = new Set<string>();
  let runningSince = Number.POSITIVE_INFINITY;
  const note = (value: unknown): void => {
    for (const digest of digestsIn(JSON.stringify(value))) roots.add(digest);
  };
  note(await store.schedules());
  note(await others());
  for (let after: string | undefined; ;) {
    const page = await store.jobs({ limit: PAGE, after });
    note(page.jobs);
    for (const job of page.jobs) runningSince = Math.min(runningSince, startOf(job));
    if (page.next === undefined) return { roots, runningSince };
    after = page.next;
  }
}

/**
 * A command stores its outputs after it has ended, and no job names the checkpoints that it
 * replaces.
 */
function startOf({ state, work, startedAt }: Job): number {
  if (state !== 'running' || work.kind !== 'task') return Number.POSITIVE_INFINITY;
  return startedAt ?? 0;
}

/** The roots, and every artifact that a stored root names. */
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
