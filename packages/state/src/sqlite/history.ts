import type { HistoryEntry, Records } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

interface Row extends Omit<HistoryEntry, 'details'> {
  readonly details: string;
}

export function historyTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'addHistory' | 'history' | 'historyAfter'> {
  const insert = database.prepare(
    `INSERT INTO history (at, deployment, kind, reason, details, actor)
     VALUES (:at, :deployment, :kind, :reason, :details, :actor) RETURNING *`,
  );
  const trimKind = database.prepare(
    `DELETE FROM history WHERE deployment = :deployment AND kind = :kind AND id <= (
       SELECT id FROM history WHERE deployment = :deployment AND kind = :kind
       ORDER BY id DESC LIMIT 1 OFFSET ${RETENTION.historyPerKind})`,
  );
  const trimAll = database.prepare('DELETE FROM history WHERE id <= :oldest');
  const select = (where: string) =>
    database.prepare(`SELECT * FROM history ${where} ORDER BY id DESC LIMIT :limit`);
  const after = database.prepare('SELECT * FROM history WHERE id > :id ORDER BY id LIMIT :limit');
  const all = select('');
  const ofKind = select('WHERE kind = :kind');
  const ofDeployment = select('WHERE deployment = :deployment');
  const ofBoth = select('WHERE deployment = :deployment AND kind = :kind');

  return {
    async addHistory({ deployment, kind, reason, details, actor }) {
      return database.write('crash', () => {
        const row = insert.get({
          at: new Date().toISOString(),
          deployment,
          kind,
          reason,
          details: JSON.stringify(details),
          actor,
        }) as unknown as Row;
        trimKind.run({ deployment, kind });
        trimAll.run({ oldest: row.id - RETENTION.history });
        announce({ kind: 'history', id: String(row.id) });
        return record(row);
      });
    },
    async history({ deployment, kind, limit }) {
      return database.read(() => {
        let rows: unknown[];
        if (deployment === undefined) {
          rows = kind === undefined ? all.all({ limit }) : ofKind.all({ kind, limit });
        } else {
          rows =
            kind === undefined
              ? ofDeployment.all({ deployment, limit })
              : ofBoth.all({ deployment, kind, limit });
        }
        return (rows as Row[]).map(record);
      });
    },
    async historyAfter(id, limit) {
      return database.read(() => (after.all({ id, limit }) as unknown as Row[]).map(record));
    },
  };
}

function record(row: Row): HistoryEntry {
  return { ...row, details: JSON.parse(row.details) as Record<string, unknown> };
}
