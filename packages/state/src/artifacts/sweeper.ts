/**
 * Removes artifacts that no record names, and never one that a record is about to name.
 *
 * A model's import, or an answer of a federation, stores bytes first and records their digest later.
 * Removing a record with the same bytes in between would delete them. Removals therefore wait until
 * no import is running, imports wait for a removal, and the artifacts to remove are computed at that
 * moment. The caller is the only writer of the store.
 */
import type { ArtifactStore } from '../contract.ts';

export interface Sweeper {
  /** Runs an import; no artifact is removed meanwhile. */
  protect<T>(importing: () => Promise<T>): Promise<T>;
  /** Removes those that no record names, now or when the running imports have ended. */
  sweep(digests: Iterable<string>): Promise<void>;
}

export function createSweeper(
  artifacts: Pick<ArtifactStore, 'remove'>,
  referenced: () => Promise<ReadonlySet<string>>,
): Sweeper {
  const candidates = new Set<string>();
  let imports = 0;
  let sweeping: Promise<void> | undefined;

  async function removeUnreferenced(): Promise<void> {
    // Later requests wait for the next round: the records were read without them.
    while (candidates.size > 0) {
      const round = [...candidates];
      candidates.clear();
      const kept = await referenced();
      for (const digest of round) if (!kept.has(digest)) await artifacts.remove(digest);
    }
  }

  async function settle(): Promise<void> {
    if (imports > 0 || candidates.size === 0) return;
    sweeping ??= removeUnreferenced().finally(() => {
      sweeping = undefined;
    });
    await sweeping;
  }

  return {
    async protect(importing) {
      for (let busy = sweeping; busy; busy = sweeping) await busy.catch(() => undefined);
      imports += 1;
      try {
        return await importing();
      } finally {
        imports -= 1;
        // A file that cannot be removed is an orphan for the next start, not a failed import.
        await settle().catch(() => undefined);
      }
    },
    async sweep(digests) {
      for (const digest of digests) candidates.add(digest);
      await settle();
    },
  };
}
