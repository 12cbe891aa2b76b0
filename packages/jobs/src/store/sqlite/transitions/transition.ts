/** How a job becomes ready and how it ends, with what follows for its children and its gang. */
import type { Cause } from '../../../contract.ts';
import { hasEnded } from '@skein/api/job-states';
import { laneRank } from '../../lane.ts';
import { closeAttempt } from './attempt.ts';
import { memberBecameReady, memberLeftReady } from './gang.ts';
import { rowBySeq, saveRow, saveSucceeded, specOf, type JobRow } from '../job-row.ts';
import { move } from './move.ts';
import type { Transaction } from '../transaction.ts';

/** A job without pending parents or delay becomes ready, or reuses the result of an equal job. */
export function settle(transaction: Transaction, row: JobRow): void {
  if (row.state !== 'blocked' || row.waits_for > 0 || row.wait_until !== null) return;
  if (takeCached(transaction, row)) return;
  row.ready_at = transaction.now;
  row.rank = laneRank(row.priority, transaction.now);
  move(transaction, row, 'ready', 'blocked');
  saveRow(transaction.sql, row);
  if (row.gang !== null) memberBecameReady(transaction, row.gang);
  else transaction.notifications.queues.add(row.queue);
}

/** @returns whether a kept success with the same content key made running it unnecessary. */
export function takeCached(transaction: Transaction, row: JobRow): boolean {
  if (row.cache_key === null || row.gang !== null) return false;
  const kept = transaction.sql.get<{ id: string; result: string }>(
    `SELECT jobs.id, jobs.result FROM cache JOIN jobs ON jobs.id = cache.job
     WHERE cache.tenant = ? AND cache.key = ?`,
    row.tenant,
    row.cache_key,
  );
  if (!kept) return false;
  row.result = kept.result;
  row.cached_from = kept.id;
  end(transaction, row, 'succeeded', null, null);
  return true;
}

/** Ends the job until it is revived, and applies the consequences for its children and its gang. */
export function end(
  transaction: Transaction,
  row: JobRow,
  state: 'succeeded' | 'failed' | 'cancelled' | 'dead',
  cause: Cause | null,
  message: string | null,
): void {
  const { sql, now } = transaction;
  const from = row.state;
  row.cause = cause;
  row.message = message;
  row.ended_at = now;
  row.expires_at = now + row.retention_ms;
  row.wait_until = null;
  row.deadline = null;
  row.rank = null;
  row.token = null;
  row.held = 0;
  row.reserved_by = null;
  row.reserved_until = null;
  move(transaction, row, state, from);
  (state === 'succeeded' ? saveSucceeded : saveRow)(sql, row);
  if (state === 'succeeded' && row.cache_key !== null) {
    sql.run('INSERT OR REPLACE INTO cache VALUES (?, ?, ?)', row.tenant, row.cache_key, row.id);
  }
  if (row.gang !== null) {
    if (from === 'ready') memberLeftReady(transaction, row.gang);
    if (state !== 'succeeded') endGang(transaction, row.gang, row.seq, state);
  }
  const children = sql.all<{ child: number }>('SELECT child FROM edges WHERE parent = ?', row.id);
  for (const { child } of children) {
    transaction.later.push(() => parentEnded(transaction, child, row.id, state === 'succeeded'));
  }
  if (row.grp === null && (state === 'failed' || state === 'dead')) endStarted(transaction, row);
}

/**
 * Cancels what a task has started that has failed for good: no job waits for the results. A task cannot always do so
 * itself: its deadline has passed, or its worker is gone. What it starts is in the group of its id.
 */
function endStarted(transaction: Transaction, run: JobRow): void {
  const { sql } = transaction;
  const open = sql.all<{ seq: number }>(
    'SELECT seq FROM jobs WHERE grp = ? AND tenant = ? AND ended_at IS NULL',
    run.id,
    run.tenant,
  );
  if (open.length === 0 || specOf(sql, run).work.kind !== 'task') return;
  const message = `Its run ${run.id} ended as ${run.state}.`;
  for (const { seq } of open) {
    transaction.later.push(() => {
      const row = rowBySeq(sql, seq);
      if (hasEnded(row.state)) return;
      closeAttempt(transaction, row, 'cancelled', message, undefined, 'cancel');
      end(transaction, row, 'cancelled', 'cancelled', message);
    });
  }
}

function parentEnded(
  transaction: Transaction,
  child: number,
  parent: string,
  succeeded: boolean,
): void {
  const row = rowBySeq(transaction.sql, child);
  if (row.state !== 'blocked') return;
  if (succeeded) {
    row.waits_for -= 1;
    saveRow(transaction.sql, row);
    settle(transaction, row);
  } else {
    end(transaction, row, 'failed', 'parent-failed', `Its parent ${parent} did not succeed.`);
  }
}

/**
 * Ends the other members of a gang with the state of the first member that could not be retried.
 */
function endGang(
  transaction: Transaction,
  gang: number,
  first: number,
  state: 'failed' | 'cancelled' | 'dead',
): void {
  const members = transaction.sql.all<JobRow>('SELECT * FROM jobs WHERE gang = ?', gang);
  const name = members.find((member) => member.seq === first)?.id;
  for (const member of members) {
    if (member.seq === first || hasEnded(member.state)) continue;
    transaction.later.push(() => {
      const row = rowBySeq(transaction.sql, member.seq);
      if (hasEnded(row.state)) return;
      const message = `Member ${name} of its gang ended as ${state}.`;
      if (row.state === 'running') {
        closeAttempt(transaction, row, 'gang-broken', message, undefined, 'cancel');
      }
      end(transaction, row, state, 'gang-broken', message);
    });
  }
}
