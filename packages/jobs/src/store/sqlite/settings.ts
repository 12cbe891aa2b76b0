/** The settings of queues, tenants and schedules. */
import type { QueueView, Schedule, TenantLoad, TenantSettings } from '../../contract.ts';
import { checkSpecs, checkTenant } from '../check-specs.ts';
import { nextTime } from '../cron.ts';
import type { Sql } from './sql.ts';
import type { Transaction } from './transaction.ts';

export function setQueueMode(
  { sql, notifications }: Transaction,
  queue: string,
  mode: QueueView['mode'],
): void {
  sql.run(
    'INSERT INTO queues VALUES (?, ?) ON CONFLICT DO UPDATE SET mode = excluded.mode',
    queue,
    mode,
  );
  notifications.queues.add(queue);
}

/** @throws SkeinError REQUEST_INVALID. */
export function putTenant({ sql, notifications }: Transaction, settings: TenantSettings): void {
  const { tenant, weight, maxRunning, maxQueued, jobsPerSecond } = settings;
  checkTenant(settings);
  sql.run(
    `INSERT INTO tenants (tenant, weight, max_running, max_queued, jobs_per_second)
     VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET weight = excluded.weight, max_running = excluded.max_running,
       max_queued = excluded.max_queued, jobs_per_second = excluded.jobs_per_second,
       bucket_tokens = NULL, bucket_at = NULL`,
    tenant,
    weight,
    maxRunning ?? null,
    maxQueued ?? null,
    jobsPerSecond ?? null,
  );
  for (const { queue } of sql.all<{ queue: string }>('SELECT queue FROM queues')) {
    notifications.queues.add(queue);
  }
}

export function tenants({ sql }: Transaction): TenantSettings[] {
  return sql
    .all<{
      tenant: string;
      weight: number;
      max_running: number | null;
      max_queued: number | null;
      jobs_per_second: number | null;
    }>('SELECT * FROM tenants ORDER BY tenant')
    .map((row) => ({
      tenant: row.tenant,
      weight: row.weight,
      maxRunning: row.max_running ?? undefined,
      maxQueued: row.max_queued ?? undefined,
      jobsPerSecond: row.jobs_per_second ?? undefined,
    }));
}

export function tenantLoad({ sql }: Transaction, tenant: string): TenantLoad {
  const row = sql.get<{ queued: number; running: number; max_queued: number | null }>(
    'SELECT queued, running, max_queued FROM tenants WHERE tenant = ?',
    tenant,
  );
  return {
    queued: row?.queued ?? 0,
    running: row?.running ?? 0,
    maxQueued: row?.max_queued ?? undefined,
  };
}

type ScheduleRow = Omit<Schedule, 'spec' | 'paused'> & { spec: string; paused: number };
const SCHEDULES =
  'SELECT id, cron, time_zone AS timeZone, spec, next_at AS nextAt, paused FROM schedules';
const scheduleOf = ({ spec, paused, ...row }: ScheduleRow): Schedule => ({
  ...row,
  spec: JSON.parse(spec) as Schedule['spec'],
  paused: paused === 1,
});

/** @throws SkeinError REQUEST_INVALID. */
export function putSchedule(
  { sql, now }: Transaction,
  schedule: Omit<Schedule, 'nextAt'>,
): Schedule {
  checkSpecs([schedule.spec]);
  const next = nextTime(schedule, now);
  const due = sql.get<{ next_at: number }>(
    `SELECT next_at FROM schedules
     WHERE id = ? AND cron = ? AND time_zone = ? AND paused = 0 AND next_at <= ?`,
    schedule.id,
    schedule.cron,
    schedule.timeZone,
    now,
  );
  const kept = { ...schedule, nextAt: schedule.paused ? next : (due?.next_at ?? next) };
  sql.run(
    'INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?)',
    kept.id,
    kept.cron,
    kept.timeZone,
    JSON.stringify(kept.spec),
    kept.nextAt,
    kept.paused ? 1 : 0,
  );
  return kept;
}

export const removeSchedule = ({ sql }: Transaction, id: string): boolean =>
  sql.run('DELETE FROM schedules WHERE id = ?', id).changes > 0;

export const schedules = ({ sql }: Transaction): Schedule[] =>
  sql.all<ScheduleRow>(`${SCHEDULES} ORDER BY id`).map(scheduleOf);

export const dueSchedules = (sql: Sql, now: number, limit: number): Schedule[] =>
  sql
    .all<ScheduleRow>(
      `${SCHEDULES} WHERE paused = 0 AND next_at <= ? ORDER BY next_at LIMIT ?`,
      now,
      limit,
    )
    .map(scheduleOf);

/** Schedules that are not due. */
export const laterSchedules = (sql: Sql, now: number): Schedule[] =>
  sql.all<ScheduleRow>(`${SCHEDULES} WHERE paused = 0 AND next_at > ?`, now).map(scheduleOf);

export const moveSchedule = (sql: Sql, id: string, nextAt: number): void =>
  void sql.run('UPDATE schedules SET next_at = ? WHERE id = ?', nextAt, id);
