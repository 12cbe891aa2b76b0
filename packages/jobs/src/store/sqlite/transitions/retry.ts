/** The next state of a job whose attempt ended without success, and of its gang. */
import type { Cause, RetryPolicy } from '../../../contract.ts';
import { closeAttempt } from './attempt.ts';
import { membersOf } from './gang.ts';
import { rowBySeq, saveRow, specOf, type JobRow } from '../job-row.ts';
import { move } from './move.ts';
import type { Transaction } from '../transaction.ts';
import { end, settle } from './transition.ts';

/** Decides the next state of a running job whose attempt has just been closed without success. */
export function retryOrEnd(
  transaction: Transaction,
  row: JobRow,
  failure: { cause: Cause; message: string; retryable: boolean },
): void {
  const { cause, message, retryable } = failure;
  const { retry } = specOf(transaction.sql, row);
  if (cause !== 'preempted') row.failures += 1;
  if (!retryable) {
    end(transaction, row, cause === 'cancelled' ? 'cancelled' : 'failed', cause, message);
  } else if (row.failures >= retry.maxAttempts) {
    end(transaction, row, 'dead', cause, message);
  } else {
    const waitMs = cause === 'preempted' ? 0 : backoff(retry, row.failures, transaction.random());
    if (row.gang !== null) breakGang(transaction, row.gang, row.seq, waitMs, cause === 'preempted');
    again(transaction, row, cause, message, waitMs);
  }
}

/** Puts a running job back to where it can be claimed again. */
export function again(
  transaction: Transaction,
  row: JobRow,
  cause: Cause,
  message: string | null,
  waitMs: number,
): void {
  row.cause = cause;
  row.message = message;
  row.started_at = null;
  row.token = null;
  row.held = 0;
  row.wait_until = waitMs > 0 ? transaction.now + waitMs : null;
  move(transaction, row, 'blocked', row.state);
  saveRow(transaction.sql, row);
  settle(transaction, row);
}

/**
 * All other members stop and are retried.
 * @param blameless whether the attempts of the other members do not count either (they never do: a
 *   member is charged for its own failures alone).
 */
export function breakGang(
  transaction: Transaction,
  gang: number,
  first: number,
  waitMs: number,
  blameless: boolean,
): void {
  const cause: Cause = blameless ? 'preempted' : 'gang-broken';
  transaction.sql.run('UPDATE gangs SET host = NULL, port = NULL WHERE id = ?', gang);
  for (const member of membersOf(transaction, gang)) {
    if (member.seq === first || member.state !== 'running') continue;
    transaction.later.push(() => {
      const row = rowBySeq(transaction.sql, member.seq);
      if (row.state !== 'running') return;
      const message = 'Another member of its gang stopped.';
      closeAttempt(transaction, row, cause, message, undefined, 'lost');
      again(transaction, row, cause, message, waitMs);
    });
  }
}

/**
 * @param failures counted attempts so far, at least 1.
 * @param random uniform in [0, 1).
 * @returns milliseconds, whole.
 */
export function backoff(policy: RetryPolicy, failures: number, random: number): number {
  const bound = Math.min(policy.maxBackoffMs, policy.backoffMs * 2 ** Math.min(failures - 1, 52));
  return Math.floor(random * bound);
}
