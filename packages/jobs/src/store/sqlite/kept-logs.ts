/** A bound on the bytes of the logs of a tenant, over all of its jobs. */
import { TENANT_LOG_BYTES } from '../bounds.ts';
import type { Sql } from './sql.ts';

/** Logs that are read at once. */
const PAGE = 50;

/**
 * Counts the bytes that an attempt has written, and removes the logs that ended first while there
 * are too many.
 */
export function countLog(sql: Sql, tenant: string, token: number, bytes: number): void {
  sql.run(
    `INSERT INTO log_sizes VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes`,
    tenant,
    token,
    bytes,
  );
  let held = addBytes(sql, tenant, bytes);
  while (held > TENANT_LOG_BYTES) {
    const oldest = sql.all<{ token: number; bytes: number }>(
      `SELECT token, bytes FROM log_sizes JOIN attempts USING (token)
       WHERE tenant = ? AND ended_at IS NOT NULL ORDER BY token LIMIT ?`,
      tenant,
      PAGE,
    );
    // All remaining logs are still being written; each has a bound of its own.
    if (oldest.length === 0) return;
    for (const log of oldest) {
      held = removeLog(sql, tenant, log.token, log.bytes);
      if (held <= TENANT_LOG_BYTES) return;
    }
  }
}

export function removeLogs(sql: Sql, tenant: string, job: number): void {
  for (const { token, bytes } of sql.all<{ token: number; bytes: number }>(
    `SELECT token, bytes FROM log_sizes
     WHERE tenant = ? AND token IN (SELECT token FROM attempts WHERE job = ?)`,
    tenant,
    job,
  )) {
    removeLog(sql, tenant, token, bytes);
  }
}

function removeLog(sql: Sql, tenant: string, token: number, bytes: number): number {
  sql.run('DELETE FROM logs WHERE token = ?', token);
  sql.run('DELETE FROM log_sizes WHERE tenant = ? AND token = ?', tenant, token);
  return addBytes(sql, tenant, -bytes);
}

/** @returns the bytes of the tenant afterwards. */
function addBytes(sql: Sql, tenant: string, by: number): number {
  const row = sql.get<{ log_bytes: number }>(
    'UPDATE tenants SET log_bytes = log_bytes + ? WHERE tenant = ? RETURNING log_bytes',
    by,
    tenant,
  );
  return row?.log_bytes ?? 0;
}
