/** An attempt: a lease on a job, under a token that fences off every earlier holder. */
import type { Cause } from '../../../contract.ts';
import { currentAttempt, saveStarted, type JobRow, runningAttempt } from '../job-row.ts';
import { move } from './move.ts';
import type { Transaction } from '../transaction.ts';

/** Starts an attempt. @returns its token. */
export function openAttempt(
  transaction: Transaction,
  row: JobRow,
  lease: { worker: string; leaseMs: number; delivered: boolean },
): number {
  const { sql, now } = transaction;
  row.attempts += 1;
  const token = sql.run(
    `INSERT INTO attempts (job, number, worker, started_at, lease_until, lease_ms, delivered)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    row.seq,
    row.attempts,
    lease.worker,
    now,
    now + lease.leaseMs,
    lease.leaseMs,
    lease.delivered ? 1 : 0,
  ).lastId;
  row.attempt = runningAttempt(token, row.attempts, lease.worker, now);
  row.token = token;
  row.started_at = now;
  row.rank = null;
  row.cause = null;
  row.message = null;
  row.reserved_by = null;
  row.reserved_until = null;
  move(transaction, row, 'running', row.state);
  saveStarted(sql, row);
  return token;
}

/**
 * Ends the lease and the attempt of a running job.
 * @param notice the state that its worker is notified of; absent when the worker itself ended it.
 */
export function closeAttempt(
  transaction: Transaction,
  row: JobRow,
  outcome: 'succeeded' | Cause,
  message: string | null,
  usage: Readonly<Record<string, number>> | undefined,
  notice?: 'lost' | 'cancel',
): void {
  const { sql, now } = transaction;
  const { token } = row;
  if (token === null) return;
  const open = currentAttempt(sql, row);
  row.token = null;
  if (open) {
    const end = {
      ended_at: now,
      outcome,
      message,
      usage: usage === undefined ? null : JSON.stringify(usage),
    };
    sql.run(
      `UPDATE attempts SET lease_until = NULL, signal = ?, ended_at = ?, outcome = ?, message = ?,
         usage = ?
       WHERE token = ?`,
      notice === 'cancel' ? 'cancel' : null,
      end.ended_at,
      end.outcome,
      end.message,
      end.usage,
      token,
    );
    row.attempt = { ...open, ...end };
    transaction.tally.ended.push({ queue: row.queue, outcome });
    if (notice)
      transaction.notifications.leases.push({
        worker: open.worker,
        lease: { token, state: notice },
      });
  }
  transaction.notifications.queues.add(row.queue); // A place is free, perhaps of a tenant at its limit.
}
