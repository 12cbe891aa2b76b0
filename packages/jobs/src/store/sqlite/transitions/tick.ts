/** Makes the transitions that are due, a bounded number per call. */
import { SkeinError } from '@skein/api/errors';
import type { Schedule } from '../../../contract.ts';
import { IDLE_MS, TICK_BATCH } from '../../bounds.ts';
import { jobAt, timeAfter, timeAfterSetBack } from '../../cron.ts';
import { enqueue } from './enqueue.ts';
import { trimEvents } from '../event-log.ts';
import { abandonAssembly, type GangRow } from './gang.ts';
import { expire } from './intervention.ts';
import { rowBySeq, saveRow } from '../job-row.ts';
import { loseLease } from './lease.ts';
import { dueSchedules, laterSchedules, moveSchedule } from '../settings.ts';
import { settle } from './transition.ts';
import type { Transaction } from '../transaction.ts';
import { removeSilent } from '../worker-list.ts';

export function tick(transaction: Transaction): void {
  const { sql, now } = transaction;
  mendClock(transaction);
  for (const { seq } of sql.all<{ seq: number }>(
    'SELECT seq FROM jobs WHERE deadline <= ? ORDER BY deadline LIMIT ?',
    now,
    TICK_BATCH,
  )) {
    transaction.later.push(() => expire(transaction, seq));
  }
  for (const { token, worker } of sql.all<{ token: number; worker: string }>(
    'SELECT token, worker FROM attempts WHERE lease_until <= ? ORDER BY lease_until LIMIT ?',
    now,
    TICK_BATCH,
  )) {
    transaction.later.push(() => loseLease(transaction, token, worker));
  }
  for (const { seq } of sql.all<{ seq: number }>(
    'SELECT seq FROM jobs WHERE wait_until <= ? ORDER BY wait_until LIMIT ?',
    now,
    TICK_BATCH,
  )) {
    transaction.later.push(() => {
      const row = rowBySeq(sql, seq);
      if (row.wait_until === null) return;
      row.wait_until = null;
      saveRow(sql, row);
      settle(transaction, row);
    });
  }
  for (const gang of sql.all<GangRow>(
    'SELECT * FROM gangs WHERE assembling_until <= ? LIMIT ?',
    now,
    TICK_BATCH,
  )) {
    abandonAssembly(transaction, gang);
  }
  sql.run(
    'UPDATE jobs SET reserved_by = NULL, reserved_until = NULL WHERE reserved_by IS NOT NULL AND reserved_until <= ?',
    now,
  );
  for (const { queue } of sql.all<{ queue: string }>(
    'SELECT queue FROM gangs WHERE rank IS NOT NULL AND not_before BETWEEN 1 AND ?',
    now,
  )) {
    transaction.notifications.queues.add(queue);
  }
  for (const schedule of dueSchedules(sql, now, TICK_BATCH)) fire(transaction, schedule);
  removeSilent(transaction);
  trimEvents(sql);
}

type Clocks = Pick<Transaction, 'now' | 'uptime'>;
/** The clocks of each database at its last tick; none before the first one. */
const lastTick = new WeakMap<Transaction['sql'], Clocks>();

/** By how much a clock must have gone otherwise than the monotonic one to have been set, in milliseconds. */
const SET_MS = 1000;

/**
 * A clock that was set back must not prolong leases or backoffs, or keep a schedule waiting, by the same amount. One
 * that was set ahead, as after the machine was suspended, must not end leases: no worker could renew one in that time.
 */
function mendClock({ sql, now, uptime }: Transaction): void {
  const last = lastTick.get(sql);
  const aheadMs = last === undefined ? 0 : Math.round(now - last.now - (uptime - last.uptime));
  if (aheadMs < -SET_MS) {
    // For a job that has not been tried, it is the time before which the job must not start.
    sql.run(
      'UPDATE jobs SET wait_until = wait_until + ? WHERE wait_until IS NOT NULL AND attempts > 0',
      aheadMs,
    );
  }
  if (aheadMs > SET_MS) {
    sql.run(
      'UPDATE attempts SET lease_until = lease_until + ? WHERE lease_until IS NOT NULL',
      aheadMs,
    );
    sql.run('UPDATE workers SET seen_at = seen_at + ?', aheadMs);
  }
  if (now < (last?.now ?? Infinity)) {
    for (const schedule of laterSchedules(sql, now)) {
      moveSchedule(sql, schedule.id, timeAfterSetBack(schedule, now));
    }
  }
  lastTick.set(sql, { now, uptime });
  sql.run(
    `UPDATE attempts SET lease_until = ? + lease_ms
     WHERE lease_until IS NOT NULL AND lease_until > ? + lease_ms`,
    now,
    now,
  );
}

/** Occurrences that were missed while no node ran are replaced by one. */
function fire(transaction: Transaction, schedule: Schedule): void {
  const { sql, now } = transaction;
  moveSchedule(sql, schedule.id, timeAfter(schedule, now));
  sql.run('SAVEPOINT fire');
  try {
    enqueue(transaction, [jobAt(schedule.spec, now)]);
    sql.run('RELEASE fire');
  } catch (error) {
    sql.run('ROLLBACK TO fire');
    sql.run('RELEASE fire');
    // Refused, as any other enqueue would be: this occurrence is left out.
    if (!(error instanceof SkeinError)) throw error;
  }
}

/** When the next call has something to do; ms since the epoch. */
export function nextDue({ sql, now }: Transaction): number {
  const due = sql.get<{ at: number | null }>(
    `SELECT min(at) AS at FROM (
       SELECT min(deadline) AS at FROM jobs WHERE deadline IS NOT NULL
       UNION ALL SELECT min(wait_until) FROM jobs WHERE wait_until IS NOT NULL
       UNION ALL SELECT min(expires_at) FROM jobs WHERE expires_at IS NOT NULL
       UNION ALL SELECT min(lease_until) FROM attempts WHERE lease_until IS NOT NULL
       UNION ALL SELECT min(assembling_until) FROM gangs WHERE assembling_until IS NOT NULL
       UNION ALL SELECT min(not_before) FROM gangs WHERE rank IS NOT NULL AND not_before > ?
       UNION ALL SELECT min(reserved_until) FROM jobs WHERE reserved_by IS NOT NULL
       UNION ALL SELECT min(next_at) FROM schedules WHERE paused = 0)`,
    now,
  );
  return Math.max(now, Math.min(due?.at ?? Infinity, now + IDLE_MS));
}
