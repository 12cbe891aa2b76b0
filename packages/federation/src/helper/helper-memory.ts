/**
 * The memory of a helper: a site's memory, with the key to which sites seal their seeds. One file for all
 * federations of the helper, because plans name its keys.
 */
import { SkeinError } from '@skein/api/errors';
import { openDatabase } from '@skein/state/database';
import { type FolderLock, lockFolder } from '@skein/state/folder-lock';
import { MEMORY_MIGRATIONS, memoryOver } from '../site/memory/sqlite-memory.ts';
import type { SiteMemory } from '../site/memory/site-memory.ts';

export interface HelperMemory extends SiteMemory {
  /** X25519, 32 bytes; the same each time. Made and stored on the first call. */
  sealingSecret(): Promise<Uint8Array<ArrayBuffer>>;
  /** @returns the digest of the sites of a round that was stored first, this one or an earlier. */
  cohortOf(run: string, round: number, digest: string): Promise<string>;
}

/**
 * Takes a helper's folder for this process. Two processes that answer at the same time would each count
 * the sums of one.
 * @throws SkeinError HELPER_RUNNING.
 */
export function lockHelper(folder: string): FolderLock {
  const lock = lockFolder(folder, 'helper.lock');
  if (lock !== undefined) return lock;
  throw new SkeinError('HELPER_RUNNING', `A helper runs on the folder ${folder} already.`);
}

/**
 * @param path the file; ':memory:' for tests.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export function openHelperMemory(path: string): HelperMemory {
  const database = openDatabase(path, MEMORY_MIGRATIONS);
  const add = database.prepare('INSERT OR IGNORE INTO sealing VALUES (1, ?)');
  const get = database.prepare('SELECT secret FROM sealing');
  const addCohort = database.prepare('INSERT OR IGNORE INTO cohort VALUES (?, ?, ?)');
  const cohort = database.prepare('SELECT digest FROM cohort WHERE run = ? AND round = ?');
  return {
    ...memoryOver(database),
    cohortOf: async (run, round, digest) =>
      database.write('power-cut', () => {
        addCohort.run(run, round, digest);
        return (cohort.get(run, round) as { digest: string }).digest;
      }),
    sealingSecret: async () =>
      database.write('power-cut', () => {
        add.run(crypto.getRandomValues(new Uint8Array(32)));
        return new Uint8Array((get.get() as { secret: Uint8Array }).secret);
      }),
  };
}
