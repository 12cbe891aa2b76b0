/** Fires the schedules that are due: of all nodes that try, one succeeds. */
import type { Connection } from '@skein/state/redis';
import type { Schedule } from '../../contract.ts';
import { jobAt, timeAfter, timeAfterSetBack } from '../cron.ts';
import type { ScriptName } from './scripts.ts';
import { specArguments } from './spec-arguments.ts';

type Opening = () => readonly (string | number)[];

/** Of one store. */
export interface LastLook {
  /** The store's clock, ms since the epoch; infinite before the first look. */
  at: number;
}

/** Occurrences that were missed while no node ran are replaced by one; a refused one is skipped. */
export async function fireDue(
  connection: Connection<ScriptName>,
  opening: Opening,
  last: LastLook,
): Promise<void> {
  const [now, ...due] = (await connection.run('due-schedules', opening)) as [
    string,
    ...[id: string, at: string, schedule: string][],
  ];
  if (Number(now) < last.at) await mendClock(connection, opening, Number(now));
  last.at = Number(now);
  for (const [id, at, json] of due) {
    const schedule = JSON.parse(json) as Schedule;
    const next = timeAfter(schedule, Number(now));
    const job = specArguments(jobAt(schedule.spec, Number(now)), Number(now));
    await connection.run('fire-schedule', () => [...opening(), id, at, next, ...job]);
  }
}

/** A clock that was set back must not keep a schedule waiting for what was its next time. */
async function mendClock(
  connection: Connection<ScriptName>,
  opening: Opening,
  now: number,
): Promise<void> {
  const all = (await connection.run('schedules', opening)) as [schedule: string, at: string][];
  for (const [json, at] of all) {
    const schedule = JSON.parse(json) as Schedule;
    if (schedule.paused || Number(at) <= now) continue;
    const next = timeAfterSetBack({ ...schedule, nextAt: Number(at) }, now);
    if (next === Number(at)) continue;
    await connection.run('move-schedule', () => [...opening(), schedule.id, at, next]);
  }
}
