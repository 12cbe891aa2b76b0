/** When a schedule is next due: five-field cron expressions in an IANA time zone, by croner. */
import { Cron } from 'croner';
import { SkeinError } from '@skein/api/errors';
import type { Schedule } from '../contract.ts';

/**
 * @param after ms since the epoch.
 * @returns the next time after that, ms since the epoch.
 * @throws SkeinError REQUEST_INVALID for an expression that is not one, or never comes, and an unknown zone.
 */
export function nextTime(schedule: Pick<Schedule, 'cron' | 'timeZone'>, after: number): number {
  const { cron, timeZone } = schedule;
  checkTimeZone(timeZone);
  let next: Date | null;
  try {
    next = new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' }).nextRun(
      new Date(after),
    );
  } catch (error) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The schedule "${cron}" is not valid: ${(error as Error).message.replace(/^\w+: /, '')}.`,
      { cause: error },
    );
  }
  if (next === null) {
    throw new SkeinError('REQUEST_INVALID', `The schedule "${cron}" never comes.`);
  }
  return next.getTime();
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
