import type { Records } from '../contract.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import { recordsOf } from './records.ts';
import type { KeyRecord } from '../records.ts';

const { toRow, fromRow } = recordsOf<KeyRecord>('scopes');

export function keyTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'addKey' | 'keys' | 'revokeKey' | 'removeKeys'> {
  const insert = database.prepare(
    `INSERT INTO api_keys VALUES
     (:id, :secretHash, :label, :tenant, :scopes, :ratePerSecond, :maxConcurrent, :createdAt,
      :expiresAt, :revokedAt, :weight)`,
  );
  const all = database.prepare('SELECT * FROM api_keys ORDER BY rowid');
  const revoke = database.prepare(
    'UPDATE api_keys SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id',
  );

  const remove = database.prepare('DELETE FROM api_keys WHERE id = ?');

  return {
    async addKey(key) {
      database.write('power-cut', () => {
        insert.run(toRow(key));
        announce({ kind: 'key', id: key.id });
      });
    },
    async keys() {
      return database.read(() => all.all().map(fromRow));
    },
    async revokeKey(id, at) {
      return database.write('power-cut', () => {
        if (revoke.run({ id, at }).changes === 0) return false;
        announce({ kind: 'key', id });
        return true;
      });
    },
    async removeKeys(ids) {
      database.write('power-cut', () => {
        for (const id of ids)
          if (remove.run(id).changes > 0) announce({ kind: 'key', id, removed: true });
      });
    },
  };
}
