/** Fires the schedules that are due: of all nodes that try, one succeeds. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Schedule } from '../../contract.ts';
import { jobAt, timeAfter, timeAfterSetBack } from '../cron.ts';
import type { JobCalls } from './calls.ts';
import { specArguments } from './spec-arguments.ts';

/** The last reading of one store. */
export interface LastLook {
  /** The store's clock, ms since the epoch; infinite before the first look. */
  at: number;
}

/** Occurrences that were missed while no node ran are replaced by one; a refused one is skipped. */
export async function fireDue(run: JobCalls['run'], last: LastLook): Promise<void> {
  const [now, ...due] = (await run('due-schedules')) as [
    string,
    ...[id: string, at: string, schedule: string][],
  ];
  if (Number(now) < last.at) await mendClock(run, Number(now));
  last.at = Number(now);
  for (const [id, at, json] of due) {
    const schedule = readJson(json, JSON_BOUNDS.record) as Schedule;
    const next = timeAfter(schedule, Number(now));
    const job = specArguments(jobAt(schedule.spec, Number(now)), Number(now));
    await run('fire-schedule', id, at, next, ...job);
  }
}

/** A clock that was set back must not keep a schedule waiting for what was its next time. */
async function mendClock(run: JobCalls['run'], now: number): Promise<void> {
  const all = (await run('schedules')) as [schedule: string, at: string][];
  for (const [json, at] of all) {
    const schedule = readJson(json, JSON_BOUNDS.record) as Schedule;
    if (schedule.paused || Number(at) <= now) continue;
    const next = timeAfterSetBack({ ...schedule, nextAt: Number(at) }, now);
    if (next === Number(at)) continue;
    await run('move-schedule', schedule.id, at, next);
  }
}
