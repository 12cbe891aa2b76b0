import type { Records } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Database } from './database.ts';
import type { AuditEntry } from '../records.ts';

export const ADD_AUDIT = `INSERT INTO audit (at, actor, action, subject, outcome, remote)
  VALUES (:at, :actor, :action, :subject, :outcome, :remote)`;

export function auditTable(database: Database): Pick<Records, 'addAudit' | 'audit'> {
  const insert = database.prepare(ADD_AUDIT);
  const trim = database.prepare('DELETE FROM audit WHERE id <= :oldest');
  const newest = database.prepare(
    'SELECT * FROM audit WHERE id < :before ORDER BY id DESC LIMIT :limit',
  );

  return {
    async addAudit({ actor, action, subject, outcome, remote }) {
      database.write('crash', () => {
        const at = new Date().toISOString();
        const { lastInsertRowid } = insert.run({ at, actor, action, subject, outcome, remote });
        trim.run({ oldest: Number(lastInsertRowid) - RETENTION.audit });
      });
    },
    async audit(limit, before = Number.MAX_SAFE_INTEGER) {
      return database.read(() =>
        (newest.all({ limit, before }) as unknown as AuditEntry[]).map((row) => ({ ...row })),
      );
    },
  };
}
