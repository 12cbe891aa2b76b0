/** Rows as they were, in one transaction. A row that is there already is replaced; entries are added. */
import type { TransferStore } from '../transfer/rows.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

export function transferTable(database: Database, announce: Announce): TransferStore {
  const counters = database.prepare('SELECT model, last FROM version_numbers ORDER BY model');
  const count = database.prepare(
    `INSERT INTO version_numbers VALUES (:model, :last)
     ON CONFLICT (model) DO UPDATE SET last = max(last, excluded.last)`,
  );
  const addVersion = database.prepare(
    `INSERT OR REPLACE INTO versions VALUES
     (:model, :number, :kind, :digest, :size, :signature, :metadata, :module, :at)`,
  );
  const addHistory = database.prepare(
    `INSERT INTO history (at, deployment, kind, reason, details, actor)
     VALUES (:at, :deployment, :kind, :reason, :details, :actor)`,
  );
  const addAudit = database.prepare(
    `INSERT INTO audit (at, actor, action, subject, outcome, remote)
     VALUES (:at, :actor, :action, :subject, :outcome, :remote)`,
  );
  const point = database.prepare(
    'INSERT OR REPLACE INTO deployments VALUES (:name, :revision, :live)',
  );
  const addRevision = database.prepare(
    `INSERT OR REPLACE INTO deployment_revisions VALUES
     (:name, :revision, :settings, :targets, :at, :unloaded, :rollout)`,
  );

  const restoreRow = (row: Parameters<TransferStore['restore']>[0][number]): void => {
    switch (row.kind) {
      case 'counter':
        count.run({ ...row.record });
        return;
      case 'version': {
        const { model, version, kind, digest, sizeBytes, signature, metadata } = row.record;
        const number = Number(version);
        count.run({ model, last: number });
        addVersion.run({
          model,
          number,
          kind,
          digest,
          size: sizeBytes,
          signature: JSON.stringify(signature),
          metadata: JSON.stringify(metadata),
          module: row.record.modulePath ?? null,
          at: row.record.createdAt,
        });
        announce({ kind: 'version', id: `${model}:${version}` });
        return;
      }
      case 'history': {
        const { at, deployment, kind, reason, details, actor } = row.record;
        const entry = { at, deployment, kind, reason, details: JSON.stringify(details), actor };
        announce({ kind: 'history', id: String(addHistory.run(entry).lastInsertRowid) });
        return;
      }
      case 'audit': {
        const { at, actor, action, subject, outcome, remote } = row.record;
        addAudit.run({ at, actor, action, subject, outcome, remote });
        return;
      }
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
          addRevision.run({
            name,
            revision: each.revision,
            settings: JSON.stringify(each.settings),
            targets: JSON.stringify(each.targets),
            at: each.updatedAt,
            unloaded: each.unloaded === true ? 1 : 0,
            rollout: each.rollout === undefined ? null : JSON.stringify(each.rollout),
          });
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
