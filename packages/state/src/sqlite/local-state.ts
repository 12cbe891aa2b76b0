/** `State` over an SQLite file, on the calling thread: one table per kind of record. */
import type { State } from '../contract.ts';
import { auditTable } from './audit.ts';
import { openDatabase } from './database.ts';
import { deploymentTable } from './deployments.ts';
import { historyTable } from './history.ts';
import { keyTable } from './keys.ts';
import { runTable } from './runs.ts';
import { versionTable } from './versions.ts';

/** @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE. */
export function openLocalState(path: string): State {
  const database = openDatabase(path);
  return {
    ...versionTable(database),
    ...deploymentTable(database),
    ...historyTable(database),
    ...runTable(database),
    ...keyTable(database),
    ...auditTable(database),
    async close() {
      database.close();
    },
  };
}
