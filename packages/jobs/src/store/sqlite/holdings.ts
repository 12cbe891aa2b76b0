/** Which tenant holds which artifacts: its uploads, and the outputs of its jobs. */
import type { HeldBytes } from '../../contract.ts';
import type { Transaction } from './transaction.ts';

export const holdArtifact = (
  { sql }: Transaction,
  tenant: string,
  digest: string,
  sizeBytes: number,
): boolean =>
  sql.run('INSERT OR IGNORE INTO holdings VALUES (?, ?, ?)', tenant, digest, sizeBytes).changes > 0;

export const lackedArtifacts = (
  { sql }: Transaction,
  tenant: string,
  digests: readonly string[],
): string[] =>
  digests.filter(
    (digest) =>
      sql.get('SELECT 1 FROM holdings WHERE tenant = ? AND digest = ?', tenant, digest) ===
      undefined,
  );

export const heldArtifacts = ({ sql }: Transaction): HeldBytes[] =>
  sql.all<HeldBytes>(
    'SELECT tenant, sum(size_bytes) AS bytes FROM holdings GROUP BY tenant ORDER BY tenant',
  );

export const dropArtifact = ({ sql }: Transaction, digest: string): HeldBytes[] =>
  sql.all<HeldBytes>(
    'DELETE FROM holdings WHERE digest = ? RETURNING tenant, size_bytes AS bytes',
    digest,
  );
