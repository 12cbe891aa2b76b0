import type { KeyRecord, Records } from '../contract.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

interface Row {
  readonly id: string;
  readonly secret_hash: string;
  readonly label: string;
  readonly tenant: string;
  readonly scopes: string;
  readonly rate_per_second: number | null;
  readonly max_concurrent: number | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly weight: number | null;
}

export function keyTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'addKey' | 'keys' | 'revokeKey'> {
  const insert = database.prepare(
    `INSERT INTO api_keys VALUES
     (:id, :hash, :label, :tenant, :scopes, :rate, :concurrent, :created, :expires, :revoked, :weight)`,
  );
  const all = database.prepare('SELECT * FROM api_keys ORDER BY rowid');
  const revoke = database.prepare(
    'UPDATE api_keys SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id',
  );

  return {
    async addKey(key) {
      database.write('power-cut', () => {
        insert.run({
          id: key.id,
          hash: key.secretHash,
          label: key.label,
          tenant: key.tenant,
          scopes: JSON.stringify(key.scopes),
          rate: key.ratePerSecond ?? null,
          concurrent: key.maxConcurrent ?? null,
          created: key.createdAt,
          expires: key.expiresAt ?? null,
          revoked: key.revokedAt ?? null,
          weight: key.weight ?? null,
        });
        announce({ kind: 'key', id: key.id });
      });
    },
    async keys() {
      return database.read(() => (all.all() as unknown as Row[]).map(record));
    },
    async revokeKey(id, at) {
      return database.write('power-cut', () => {
        if (revoke.run({ id, at }).changes === 0) return false;
        announce({ kind: 'key', id });
        return true;
      });
    },
  };
}

function record(row: Row): KeyRecord {
  return {
    id: row.id,
    secretHash: row.secret_hash,
    label: row.label,
    tenant: row.tenant,
    scopes: JSON.parse(row.scopes) as KeyRecord['scopes'],
    ...(row.rate_per_second === null ? {} : { ratePerSecond: row.rate_per_second }),
    ...(row.max_concurrent === null ? {} : { maxConcurrent: row.max_concurrent }),
    ...(row.weight === null ? {} : { weight: row.weight }),
    createdAt: row.created_at,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
  };
}
