/** `StateStore` over an SQLite file, on the calling thread: one table per kind of record. */
import type { StateStore } from '../store.ts';
import { auditTable } from './audit.ts';
import { budgetTable } from './budgets.ts';
import { changeTable } from './changes.ts';
import { openDatabase } from './database.ts';
import { declarationTable } from './declarations.ts';
import { deploymentTable } from './deployments.ts';
import { historyTable } from './history.ts';
import { keyTable } from './keys.ts';
import { leaseTable, shareTable } from './leases.ts';
import { memberTable } from './members.ts';
import { responseTable } from './responses.ts';
import { runTable } from './runs.ts';
import { secretTable } from './secrets.ts';
import { transferTable } from './transfer.ts';
import { versionTable } from './versions.ts';

/**
 * @param clock ms since the epoch.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export function openLocalState(path: string, clock: () => number = Date.now): StateStore {
  const database = openDatabase(path);
  const { announce, ...changes } = changeTable(database);
  const { checkFence, ...leases } = leaseTable(database, clock);
  return {
    ...versionTable(database, announce),
    ...deploymentTable(database, announce, checkFence),
    ...historyTable(database, announce),
    ...runTable(database, announce),
    ...keyTable(database, announce),
    ...declarationTable(database, announce),
    ...auditTable(database),
    ...transferTable(database, announce),
    ...changes,
    ...memberTable(database, announce, clock),
    ...leases,
    ...shareTable(database, clock),
    ...budgetTable(database, clock),
    ...responseTable(database, clock),
    ...secretTable(database),
    async close() {
      database.close();
    },
  };
}
