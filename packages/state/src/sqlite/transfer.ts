/** Rows as they were, in one transaction. A row that is there already is replaced; entries are added. */
import type { TransferStore } from '../transfer/rows.ts';
import { ADD_AUDIT } from './audit.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import { INTO_REVISIONS, revisionRow } from './deployments.ts';
import { HISTORY } from './history.ts';
import { INTO_VERSIONS, versionRow } from './versions.ts';

export function transferTable(database: Database, announce: Announce): TransferStore {
  const counters = database.prepare('SELECT model, last FROM version_numbers ORDER BY model');
  const count = database.prepare(
    `INSERT INTO version_numbers VALUES (:model, :last)
     ON CONFLICT (model) DO UPDATE SET last = max(last, excluded.last)`,
  );
  const addVersion = database.prepare(`INSERT OR REPLACE ${INTO_VERSIONS}`);
  const addHistory = database.prepare(HISTORY.insert);
  const addAudit = database.prepare(ADD_AUDIT);
  const point = database.prepare(
    'INSERT OR REPLACE INTO deployments VALUES (:name, :revision, :live)',
  );
  const addRevision = database.prepare(`INSERT OR REPLACE ${INTO_REVISIONS}`);

  const restoreRow = (row: Parameters<TransferStore['restore']>[0][number]): void => {
    switch (row.kind) {
      case 'counter':
        count.run({ ...row.record });
        return;
      case 'version': {
        const { model, version } = row.record;
        count.run({ model, last: Number(version) });
        addVersion.run(versionRow(row.record));
        announce({ kind: 'version', id: `${model}:${version}` });
        return;
      }
      case 'history': {
        const { id } = HISTORY.fromRow(addHistory.get(HISTORY.toRow(row.record))!);
        announce({ kind: 'history', id: String(id) });
        return;
      }
      case 'audit':
        addAudit.run({ ...row.record });
        return;
      case 'tombstone':
        point.run({ ...row.record, live: 0 });
        announce({
          kind: 'deployment',
          id: row.record.name,
          revision: row.record.revision,
          removed: true,
        });
        return;
      default: {
        const { name, revision } = row.record;
        for (const each of [row.record, ...row.earlier]) {
          addRevision.run(revisionRow({ ...each, name }));
        }
        point.run({ name, revision, live: 1 });
        announce({ kind: 'deployment', id: name, revision });
      }
    }
  };

  return {
    async versionCounters() {
      return database.read(() => counters.all().map((row) => ({ ...row })) as never);
    },
    async restore(rows) {
      database.write('power-cut', () => rows.forEach(restoreRow));
    },
  };
}
