/**
 * Repeats a call until the store answers, so that an outage of a minute loses no report of a
 * worker.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { isAway } from '../store/when-reachable.ts';

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;
/** A fault that is not an outage is not expected to pass. */
const TRIES_AFTER_A_FAULT = 5;

/**
 * @param signal ends the retries.
 * @returns the answer; undefined when the signal came first.
 * @throws the error of the store, when it is not an outage and repeats.
 */
export async function persist<T>(
  ask: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  let waitMs = FIRST_WAIT_MS;
  let faults = 0;
  while (!signal.aborted) {
    try {
      return await ask();
    } catch (error) {
      if (!isOutage(error) && ++faults >= TRIES_AFTER_A_FAULT) throw error;
    }
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
  }
  return undefined;
}

/** Whether the same request may well succeed later. */
export function isOutage(error: unknown): boolean {
  return isAway(error) || (error instanceof SkeinError && error.row.kind === 'load');
}
