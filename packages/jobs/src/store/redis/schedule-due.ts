/** Fires the schedules that are due: of all nodes that try, one succeeds. */
import type { Connection } from '@skein/state/redis';
import type { Schedule } from '../../contract.ts';
import { jobAt, timeAfter } from '../cron.ts';
import type { ScriptName } from './scripts.ts';
import { specArguments } from './spec-arguments.ts';

/** Occurrences that were missed while no node ran are replaced by one; a refused one is skipped. */
export async function fireDue(
  connection: Connection<ScriptName>,
  opening: () => readonly (string | number)[],
): Promise<void> {
  const [now, ...due] = (await connection.run('due-schedules', opening)) as [
    string,
    ...[id: string, at: string, schedule: string][],
  ];
  for (const [id, at, json] of due) {
    const schedule = JSON.parse(json) as Schedule;
    const next = timeAfter(schedule, Number(now));
    const job = specArguments(jobAt(schedule.spec, Number(now)), Number(now));
    await connection.run('fire-schedule', () => [...opening(), id, at, next, ...job]);
  }
}
