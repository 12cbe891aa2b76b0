/** An attempt: a lease on a job, under a token that fences off whoever held it before. */
import type { Cause } from '../../contract.ts';
import { noteAttempt, saveStarted, type AttemptRow, type JobRow } from './job-row.ts';
import { move } from './move.ts';
import type { Turn } from './turn.ts';

/** Starts an attempt. @returns its token. */
export function openAttempt(
  turn: Turn,
  row: JobRow,
  lease: { worker: string; leaseMs: number; delivered: boolean },
): number {
  const { sql, now } = turn;
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
  noteAttempt(row, {
    token,
    number: row.attempts,
    worker: lease.worker,
    started_at: now,
    ended_at: null,
    outcome: null,
    message: null,
    usage: null,
  });
  row.token = token;
  row.started_at = now;
  row.rank = null;
  row.cause = null;
  row.message = null;
  row.reserved_by = null;
  row.reserved_until = null;
  move(turn, row, 'running', row.state);
  saveStarted(sql, row);
  return token;
}

/**
 * Ends the lease and the attempt of a running job.
 * @param tell what its worker hears at once; absent when the worker itself ended it.
 */
export function closeAttempt(
  turn: Turn,
  row: JobRow,
  outcome: 'succeeded' | Cause,
  message: string | null,
  usage: Readonly<Record<string, number>> | undefined,
  tell?: 'lost' | 'cancel',
): void {
  const { sql, now } = turn;
  const { token } = row;
  if (token === null) return;
  const attempt = sql.get<AttemptRow>(
    `UPDATE attempts SET lease_until = NULL, signal = NULL, ended_at = ?, outcome = ?, message = ?,
       usage = ?
     WHERE token = ? AND lease_until IS NOT NULL RETURNING *`,
    now,
    outcome,
    message,
    usage === undefined ? null : JSON.stringify(usage),
    token,
  );
  row.token = null;
  if (attempt) noteAttempt(row, attempt);
  if (tell && attempt)
    turn.heard.news.push({ worker: attempt.worker, news: { token, state: tell } });
  turn.heard.queues.add(row.queue); // A place became free, perhaps of a tenant at its limit.
}
