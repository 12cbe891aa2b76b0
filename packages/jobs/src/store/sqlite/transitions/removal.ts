/** Removes ended jobs, with their logs and the entries that name them. */
import { hasEnded } from '@skein/api/job-states';
import { TICK_BATCH } from '../../bounds.ts';
import { rowById, viewOf, type JobRow } from '../job-row.ts';
import type { JobView } from '../job-view.ts';
import { removeLogs } from '../kept-logs.ts';
import { writeTally } from '../tally.ts';
import type { Transaction } from '../transaction.ts';

type Removed = Pick<JobRow, 'seq' | 'id' | 'tenant' | 'gang'>;

/** Removes the jobs whose retention is over. */
export function removeExpired(transaction: Transaction): void {
  const { sql, now, tally } = transaction;
  // A job that has just ended may be due already; its counts must be in the table first.
  writeTally(sql, tally);
  const expired = sql.all<Removed>(
    'SELECT seq, id, tenant, gang FROM jobs WHERE expires_at <= ? ORDER BY expires_at LIMIT ?',
    now,
    TICK_BATCH,
  );
  for (const job of expired) removeRow(transaction, job);
}

/** One, before that. @returns the job as it was; one that has not ended is left as it is. */
export function remove(transaction: Transaction, id: string): JobView | undefined {
  const { sql } = transaction;
  const row = rowById(sql, id);
  if (!row) return undefined;
  const view = viewOf(sql, row);
  if (hasEnded(row.state)) removeRow(transaction, row);
  return view;
}

function removeRow({ sql }: Transaction, { seq, id, tenant, gang }: Removed): void {
  removeLogs(sql, tenant, seq);
  sql.run('DELETE FROM attempts WHERE job = ?', seq);
  sql.run('DELETE FROM edges WHERE parent = ?', id);
  removeEdges(sql, seq);
  sql.run(
    'DELETE FROM cache WHERE (tenant, key) = (SELECT tenant, cache_key FROM jobs WHERE seq = ?) AND job = ?',
    seq,
    id,
  );
  sql.run(
    'UPDATE counts SET jobs = jobs - 1 WHERE (queue, state) = (SELECT queue, state FROM jobs WHERE seq = ?)',
    seq,
  );
  sql.run('DELETE FROM specs WHERE seq = ?', seq);
  sql.run('DELETE FROM jobs WHERE seq = ?', seq);
  if (gang === null) return;
  sql.run(
    'DELETE FROM gangs WHERE id = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE gang = ?)',
    gang,
    gang,
  );
}

function removeEdges(sql: Transaction['sql'], seq: number): void {
  const spec = sql.get<{ spec: string }>('SELECT spec FROM specs WHERE seq = ?', seq)?.spec ?? '{}';
  for (const parent of (JSON.parse(spec) as { parents: string[] }).parents) {
    sql.run('DELETE FROM edges WHERE parent = ? AND child = ?', parent, seq);
  }
}
