/** Transitions that people and deadlines cause from outside: cancel, preempt, revive. */
import { closeAttempt } from './attempt.ts';
import { hasEnded } from '@skein/api/job-states';
import { rowById, rowBySeq, saveRow, specOf, type JobRow } from '../job-row.ts';
import { membersOf } from './gang.ts';
import { move } from './move.ts';
import type { Sql } from '../sql.ts';
import { end, settle } from './transition.ts';
import type { Transaction } from '../transaction.ts';

export function cancel(transaction: Transaction, id: string, reason: string): JobRow | undefined {
  const row = rowById(transaction.sql, id);
  if (!row || hasEnded(row.state)) return row;
  closeAttempt(transaction, row, 'cancelled', reason, undefined, 'cancel');
  end(transaction, row, 'cancelled', 'cancelled', reason);
  return row;
}

/** The deadline of a job has passed. */
export function expire(transaction: Transaction, seq: number): void {
  const row = rowBySeq(transaction.sql, seq);
  if (hasEnded(row.state)) return;
  const message = `Its deadline ${new Date(row.deadline ?? 0).toISOString()} passed.`;
  closeAttempt(transaction, row, 'deadline', message, undefined, 'cancel');
  end(transaction, row, 'failed', 'deadline', message);
}

export function preempt(transaction: Transaction, id: string): JobRow | undefined {
  const row = rowById(transaction.sql, id);
  if (row?.state !== 'running' || row.token === null) return row;
  const { token } = row;
  const lease = transaction.sql.get<{ worker: string }>(
    `UPDATE attempts SET signal = 'preempt' WHERE token = ? AND lease_until IS NOT NULL
     RETURNING worker`,
    token,
  );
  if (lease) {
    transaction.notifications.leases.push({
      worker: lease.worker,
      lease: { token, state: 'preempt' },
    });
  }
  return row;
}

/** Whether a parent that did not succeed, or is removed, keeps a job from ever starting. */
function orphaned(sql: Sql, row: JobRow): boolean {
  return (
    row.cause === 'parent-failed' &&
    specOf(sql, row).parents.some((id) => {
      const parent = rowById(sql, id);
      return !parent || (hasEnded(parent.state) && parent.state !== 'succeeded');
    })
  );
}

const revivable = ({ state }: JobRow): boolean => hasEnded(state) && state !== 'succeeded';

/** A job that its parents keep from starting stays as it is: revive the parent. */
export function revive(transaction: Transaction, id: string): JobRow | undefined {
  const row = rowById(transaction.sql, id);
  if (!row || !revivable(row)) return row;
  const whole = row.gang === null ? [row] : membersOf(transaction, row.gang).filter(revivable);
  if (whole.some((member) => orphaned(transaction.sql, member))) return row;
  const back = whole.map((member) => (member.seq === row.seq ? row : member));
  for (const member of back) bringBack(transaction, member);
  return row;
}

function bringBack(transaction: Transaction, row: JobRow): void {
  const { sql, now } = transaction;
  const { parents, deadline } = specOf(sql, row);
  row.cause = null;
  row.message = null;
  row.ended_at = null;
  row.started_at = null;
  row.expires_at = null;
  row.failures = 0;
  row.result = null;
  row.deadline = deadline !== undefined && deadline > now ? deadline : null;
  row.waits_for = parents.filter((id) => {
    const parent = rowById(sql, id);
    return parent !== undefined && parent.state !== 'succeeded';
  }).length;
  move(transaction, row, 'blocked', row.state);
  saveRow(sql, row);
  transaction.later.push(() => {
    const children = sql.all<{ child: number }>('SELECT child FROM edges WHERE parent = ?', row.id);
    for (const { child } of children) {
      const failed = rowBySeq(sql, child);
      if (failed.cause === 'parent-failed') revive(transaction, failed.id);
    }
    settle(transaction, rowBySeq(sql, row.seq));
  });
}
