/** What the holder of a lease does with it. A stale token changes nothing. */
import type { LeaseNews, Outcome } from '../../contract.ts';
import { SkeinError } from '@skein/api/errors';
import { LOG_BYTES } from '../bounds.ts';
import { closeAttempt } from './attempt.ts';
import { addEvent } from './event-log.ts';
import { membersOf } from './gang.ts';
import { saveRow, type JobRow } from './job-row.ts';
import { countLog } from './kept-logs.ts';
import { retryOrEnd } from './retry.ts';
import type { Sql } from './sql.ts';
import { end } from './transition.ts';
import type { Turn } from './turn.ts';
import { seen } from './worker-list.ts';

export function renew(
  turn: Turn,
  worker: string,
  tokens: readonly number[],
  leaseMs: number,
): LeaseNews[] {
  seen(turn, worker);
  return tokens.map((token): LeaseNews => {
    const kept = turn.sql.get<{ signal: 'preempt' | null }>(
      `UPDATE attempts SET lease_until = ?, lease_ms = ?
       WHERE token = ? AND worker = ? AND lease_until IS NOT NULL RETURNING signal`,
      turn.now + leaseMs,
      leaseMs,
      token,
      worker,
    );
    if (kept) return { token, state: kept.signal ?? 'kept' };
    const cancelled = turn.sql.get(
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
  const { number, worker } = row;
  row.attempt = {
    token,
    number,
    worker,
    started_at: row.started_at ?? 0,
    ended_at: null,
    outcome: null,
    message: null,
    usage: null,
  };
  return row;
}

export function progress(turn: Turn, token: number, fraction: number, message: string): boolean {
  const row = leased(turn.sql, token);
  if (!row) return false;
  row.progress = JSON.stringify({ fraction: Math.min(1, Math.max(0, fraction)), message });
  turn.sql.run('UPDATE jobs SET progress = ? WHERE seq = ?', row.progress, row.seq);
  addEvent(turn, row, 'progress');
  return true;
}

export function saveCheckpoint(turn: Turn, token: number, digest: string): boolean {
  const row = leased(turn.sql, token);
  if (!row) return false;
  turn.sql.run('UPDATE jobs SET checkpoint = ? WHERE seq = ?', digest, row.seq);
  return true;
}

export const logSize = (sql: Sql, token: number): number =>
  sql.get<{ size: number }>(
    'SELECT offset + length(chunk) AS size FROM logs WHERE token = ? ORDER BY offset DESC LIMIT 1',
    token,
  )?.size ?? 0;

/** @throws SkeinError REQUEST_INVALID when bytes before the chunk are missing. */
export function appendLog(turn: Turn, token: number, offset: number, chunk: Uint8Array): boolean {
  const row = leased(turn.sql, token);
  if (!row) return false;
  const size = logSize(turn.sql, token);
  if (size === LOG_BYTES) return true;
  if (offset > size) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `A chunk of the log of job ${row.id} begins at ${offset}, and ${size} bytes are there.`,
    );
  }
  const fresh = chunk.subarray(size - offset, LOG_BYTES - offset);
  if (fresh.length === 0) return true;
  turn.sql.run('INSERT INTO logs VALUES (?, ?, ?)', token, size, fresh);
  countLog(turn.sql, row.tenant, token, fresh.length);
  addEvent(turn, row, 'log');
  return true;
}

/** @returns the row of the job, or undefined when the token is stale. */
export function finish(turn: Turn, token: number, outcome: Outcome): JobRow | undefined {
  const row = leased(turn.sql, token);
  if (!row) return undefined;
  if (outcome.kind === 'failed') {
    closeAttempt(turn, row, outcome.cause, outcome.message, outcome.usage);
    retryOrEnd(turn, row, outcome);
    return row;
  }
  closeAttempt(turn, row, 'succeeded', null, outcome.usage);
  row.result = JSON.stringify(outcome.result);
  if (row.gang === null) {
    end(turn, row, 'succeeded', null, null);
    return row;
  }
  row.held = 1;
  saveRow(turn.sql, row);
  const members = membersOf(turn, row.gang);
  if (members.every((member) => member.held === 1)) {
    for (const member of members) end(turn, member, 'succeeded', null, null);
  }
  return row;
}

/** The worker did not renew in time: it is presumed dead, and fenced off. */
export function loseLease(turn: Turn, token: number, worker: string): void {
  const row = leased(turn.sql, token);
  if (!row) return;
  const message = `Worker ${worker} did not renew its lease.`;
  closeAttempt(turn, row, 'lease-lost', message, undefined, 'lost');
  retryOrEnd(turn, row, { cause: 'lease-lost', message, retryable: true });
}
