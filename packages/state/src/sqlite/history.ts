import type { Records } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import { recordsOf } from './records.ts';
import type { HistoryEntry } from '../records.ts';

export const HISTORY = {
  ...recordsOf<HistoryEntry>('details'),
  insert: `INSERT INTO history (at, deployment, kind, reason, details, actor)
     VALUES (:at, :deployment, :kind, :reason, :details, :actor) RETURNING *`,
};

export function historyTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'addHistory' | 'history' | 'historyAfter'> {
  const insert = database.prepare(HISTORY.insert);
  const trimKind = database.prepare(
    `DELETE FROM history WHERE deployment = :deployment AND kind = :kind AND id <= (
       SELECT id FROM history WHERE deployment = :deployment AND kind = :kind
       ORDER BY id DESC LIMIT 1 OFFSET ${RETENTION.historyPerKind})`,
  );
  const trimAll = database.prepare('DELETE FROM history WHERE id <= :oldest');
  const select = (where: string) =>
    database.prepare(
      `SELECT * FROM history WHERE id < :before ${where} ORDER BY id DESC LIMIT :limit`,
    );
  const after = database.prepare('SELECT * FROM history WHERE id > :id ORDER BY id LIMIT :limit');
  const all = select('');
  const ofKind = select('AND kind = :kind');
  const ofDeployment = select('AND deployment = :deployment');
  const ofBoth = select('AND deployment = :deployment AND kind = :kind');

  return {
    async addHistory({ deployment, kind, reason, details, actor }) {
      return database.write('crash', () => {
        const at = new Date().toISOString();
        const row = insert.get(HISTORY.toRow({ at, deployment, kind, reason, details, actor }));
        const entry = HISTORY.fromRow(row!);
        trimKind.run({ deployment, kind });
        trimAll.run({ oldest: entry.id - RETENTION.history });
        announce({ kind: 'history', id: String(entry.id) });
        return entry;
      });
    },
    async history({ deployment, kind, limit, before = Number.MAX_SAFE_INTEGER }) {
      return database.read(() => {
        const bounds = { limit, before };
        if (deployment === undefined) {
          const rows = kind === undefined ? all.all(bounds) : ofKind.all({ kind, ...bounds });
          return rows.map(HISTORY.fromRow);
        }
        const rows =
          kind === undefined
            ? ofDeployment.all({ deployment, ...bounds })
            : ofBoth.all({ deployment, kind, ...bounds });
        return rows.map(HISTORY.fromRow);
      });
    },
    async historyAfter(id, limit) {
      return database.read(() => after.all({ id, limit }).map(HISTORY.fromRow));
    },
  };
}
