/**
 * Removes artifacts that no kept job names: what was uploaded and never used, and what jobs that are
 * forgotten have left.
 *
 * An artifact goes only when it was unnamed at every look for a day, because what has just been
 * uploaded is named a moment later. It is for the store that is a node's own: in a fleet others may
 * name what this node cannot see.
 */
import type { ArtifactStore } from '../state/contract.ts';
import type { JobStore } from './contract.ts';
import type { WorkerLog } from './worker/contract.ts';

const LOOK_EVERY_MS = 3_600_000;
const UNNAMED_FOR_MS = 24 * 3_600_000;
const PAGE = 500;
const DIGEST = /\b[0-9a-f]{64}\b/g;

/** Looks once an hour. @returns what ends it. */
export function sweepArtifacts(
  store: Pick<JobStore, 'jobs' | 'schedules'>,
  artifacts: Pick<ArtifactStore, 'list' | 'remove'>,
  log: WorkerLog,
): () => void {
  const sweep = createSweep(store, artifacts, Date.now);
  const timer = setInterval(() => {
    sweep().catch((error: unknown) => {
      log('warn', 'Artifacts that nobody needs could not be removed.', { err: error });
    });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** @param now milliseconds since the epoch. @returns one look, which resolves with what it removed. */
export function createSweep(
  store: Pick<JobStore, 'jobs' | 'schedules'>,
  artifacts: Pick<ArtifactStore, 'list' | 'remove'>,
  now: () => number,
): () => Promise<string[]> {
  /** Since when each artifact has been unnamed. */
  let unnamed = new Map<string, number>();
  return async () => {
    // The list comes first: what is stored after it is not judged by this look.
    const stored = await artifacts.list();
    const named = await namedDigests(store);
    const at = now();
    const still = new Map<string, number>();
    const removed: string[] = [];
    for (const digest of stored) {
      if (named.has(digest)) continue;
      const since = unnamed.get(digest) ?? at;
      if (at - since < UNNAMED_FOR_MS) {
        still.set(digest, since);
        continue;
      }
      await artifacts.remove(digest);
      removed.push(digest);
    }
    unnamed = still;
    return removed;
  };
}

/** Every digest anywhere in a job: its inputs, its outputs, and what tasks return. */
async function namedDigests(
  store: Pick<JobStore, 'jobs' | 'schedules'>,
): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  const note = (value: unknown): void => {
    for (const digest of JSON.stringify(value).match(DIGEST) ?? []) named.add(digest);
  };
  note(await store.schedules());
  for (let after: string | undefined; ;) {
    const page = await store.jobs({ limit: PAGE, after });
    note(page.jobs);
    if (page.next === undefined) return named;
    after = page.next;
  }
}
