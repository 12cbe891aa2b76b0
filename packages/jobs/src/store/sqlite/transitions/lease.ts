/** The operations of a lease's holder. A stale token changes nothing. */
import type { LeaseNotification, Outcome } from '../../../contract.ts';
import { SkeinError } from '@skein/api/errors';
import { LOG_BYTES } from '../../bounds.ts';
import { closeAttempt } from './attempt.ts';
import { addEvent } from '../event-log.ts';
import { membersOf } from './gang.ts';
import { saveRow, type JobRow, runningAttempt } from '../job-row.ts';
import { countLog } from '../kept-logs.ts';
import { retryOrEnd } from './retry.ts';
import type { Sql } from '../sql.ts';
import { end } from './transition.ts';
import type { Transaction } from '../transaction.ts';
import { seen } from '../worker-list.ts';

export function renew(
  transaction: Transaction,
  worker: string,
  tokens: readonly number[],
  leaseMs: number,
): LeaseNotification[] {
  seen(transaction, worker);
  return tokens.map((token): LeaseNotification => {
    const kept = transaction.sql.get<{ signal: 'preempt' | null }>(
      `UPDATE attempts SET lease_until = ?, lease_ms = ?
       WHERE token = ? AND worker = ? AND lease_until IS NOT NULL RETURNING signal`,
      transaction.now + leaseMs,
      leaseMs,
      token,
      worker,
    );
    if (kept) return { token, state: kept.signal ?? 'kept' };
    const cancelled = transaction.sql.get(
      "SELECT 1 FROM attempts WHERE token = ? AND worker = ? AND signal = 'cancel'",
      token,
      worker,
    );
    return { token, state: cancelled ? 'cancel' : 'lost' };
  });
}

function leased(sql: Sql, token: number): JobRow | undefined {
  const row = sql.get<JobRow & { number: number; worker: string }>(
    `SELECT jobs.*, attempts.number, attempts.worker
     FROM attempts JOIN jobs ON jobs.seq = attempts.job
     WHERE attempts.token = ? AND lease_until IS NOT NULL`,
    token,
  );
  if (!row) return undefined;
  row.attempt = runningAttempt(token, row.number, row.worker, row.started_at ?? 0);
  return row;
}

export function progress(
  transaction: Transaction,
  token: number,
  fraction: number,
  message: string,
): boolean {
  const row = leased(transaction.sql, token);
  if (!row) return false;
  row.progress = JSON.stringify({ fraction: Math.min(1, Math.max(0, fraction)), message });
  transaction.sql.run('UPDATE jobs SET progress = ? WHERE seq = ?', row.progress, row.seq);
  addEvent(transaction, row, 'progress');
  return true;
}

export function saveCheckpoint(transaction: Transaction, token: number, digest: string): boolean {
  const row = leased(transaction.sql, token);
  if (!row) return false;
  transaction.sql.run('UPDATE jobs SET checkpoint = ? WHERE seq = ?', digest, row.seq);
  return true;
}

export const logSize = (sql: Sql, token: number): number =>
  sql.get<{ size: number }>(
    'SELECT offset + length(chunk) AS size FROM logs WHERE token = ? ORDER BY offset DESC LIMIT 1',
    token,
  )?.size ?? 0;

/** @throws SkeinError REQUEST_INVALID when bytes before the chunk are missing. */
export function appendLog(
  transaction: Transaction,
  token: number,
  offset: number,
  chunk: Uint8Array,
): boolean {
  const row = leased(transaction.sql, token);
  if (!row) return false;
  const size = logSize(transaction.sql, token);
  if (size === LOG_BYTES) return true;
  if (offset > size) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `A chunk of the log of job ${row.id} begins at ${offset}, and ${size} bytes are there.`,
    );
  }
  const fresh = chunk.subarray(size - offset, LOG_BYTES - offset);
  if (fresh.length === 0) return true;
  transaction.sql.run('INSERT INTO logs VALUES (?, ?, ?)', token, size, fresh);
  countLog(transaction.sql, row.tenant, token, fresh.length);
  addEvent(transaction, row, 'log');
  return true;
}

/** @returns the row of the job, or undefined when the token is stale. */
export function finish(
  transaction: Transaction,
  token: number,
  outcome: Outcome,
): JobRow | undefined {
  const row = leased(transaction.sql, token);
  if (!row) return undefined;
  if (outcome.kind === 'failed') {
    closeAttempt(transaction, row, outcome.cause, outcome.message, outcome.usage);
    retryOrEnd(transaction, row, outcome);
    return row;
  }
  closeAttempt(transaction, row, 'succeeded', null, outcome.usage);
  row.result = JSON.stringify(outcome.result);
  if (row.gang === null) {
    end(transaction, row, 'succeeded', null, null);
    return row;
  }
  row.held = 1;
  saveRow(transaction.sql, row);
  const members = membersOf(transaction, row.gang);
  if (members.every((member) => member.held === 1)) {
    for (const member of members) end(transaction, member, 'succeeded', null, null);
  }
  return row;
}

/** The worker did not renew in time: it is presumed dead, and its token becomes stale. */
export function loseLease(transaction: Transaction, token: number, worker: string): void {
  const row = leased(transaction.sql, token);
  if (!row) return;
  const message = `Worker ${worker} did not renew its lease.`;
  closeAttempt(transaction, row, 'lease-lost', message, undefined, 'lost');
  retryOrEnd(transaction, row, { cause: 'lease-lost', message, retryable: true });
}
