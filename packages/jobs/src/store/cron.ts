/**
 * When a schedule is next due: five-field cron expressions in an IANA time zone, by croner; and the job that it then
 * enqueues.
 */
import { Cron } from 'croner';
import { SkeinError } from '@skein/api/errors';
import type { JobSpec, Schedule, ScheduledSpec } from '../contract.ts';

/** Ms since the epoch: a schedule that does not come again waits until then. */
const NEVER = Date.UTC(9999, 11, 31);

/**
 * @param after ms since the epoch.
 * @returns the next time after that, ms since the epoch.
 * @throws SkeinError REQUEST_INVALID for an expression that is not one, or never comes, and an unknown zone.
 */
export function nextTime(schedule: Pick<Schedule, 'cron' | 'timeZone'>, after: number): number {
  const { cron, timeZone } = schedule;
  checkTimeZone(timeZone);
  // Croner also takes one date, which does not come again, and names such as `@daily`.
  if (cron.trim().split(/\s+/).length !== 5) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The schedule "${cron}" is not valid: it has five fields, the minute, hour, day, month and day of the week, such as "0 3 * * 1-5".`,
    );
  }
  let next: Date | null;
  try {
    next = new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' }).nextRun(
      new Date(after),
    );
  } catch (error) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The schedule "${cron}" is not valid: ${asWritten((error as Error).message)}.`,
      { cause: error },
    );
  }
  if (next === null) {
    throw new SkeinError('REQUEST_INVALID', `The schedule "${cron}" never comes.`);
  }
  return next.getTime();
}

/** Croner's message, without the name of its function. It counts days and months from 0, and a schedule from 1. */
function asWritten(message: string): string {
  return message
    .replaceAll(/^\w+: |\.$/g, '')
    .replace(/(?<=value for (?:day|month): )-?\d+$/, (value) => String(Number(value) + 1));
}

/**
 * The next time of a schedule that was accepted and is due. One that does not come again, or whose time
 * zone has been removed, must not stop what else is due.
 */
export function timeAfter(schedule: Pick<Schedule, 'cron' | 'timeZone'>, now: number): number {
  try {
    return nextTime(schedule, now);
  } catch {
    return NEVER;
  }
}

/**
 * The next time of a schedule whose next time was computed before the clock was set back to `now`. A clock that was
 * set back by less than the time between two occurrences changes nothing: the next one may have fired already.
 */
export function timeAfterSetBack(schedule: Schedule, now: number): number {
  const next = timeAfter(schedule, now);
  return next < schedule.nextAt && timeAfter(schedule, next) < schedule.nextAt
    ? next
    : schedule.nextAt;
}

export function jobAt(spec: ScheduledSpec, now: number): JobSpec {
  const { startAfterMs, finishWithinMs, ...rest } = spec;
  return {
    ...rest,
    ...(startAfterMs === undefined ? {} : { notBefore: now + startAfterMs }),
    ...(finishWithinMs === undefined ? {} : { deadline: now + finishWithinMs }),
  };
}

/** @throws SkeinError REQUEST_INVALID. */
function checkTimeZone(timeZone: string): void {
  try {
    Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `"${timeZone}" is not a time zone; an IANA name such as Europe/Berlin is.`,
      { cause },
    );
  }
}
