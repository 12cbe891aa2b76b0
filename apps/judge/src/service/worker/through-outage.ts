/**
 * Repeats what a judging asks of the artifacts while their store is away: an outage of a minute would
 * else spend every attempt of the submissions that wait, and each would end as a judge error.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';

/** After a try, which itself waits for the store for a while. */
const PAUSE_MS = 2000;

/** @param signal ends the waiting, as the time of the job does. @throws what else `act` throws. */
export async function throughOutage<T>(
  act: () => Promise<T>,
  signal: AbortSignal,
  pauseMs = PAUSE_MS,
): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof SkeinError) || error.code !== 'STORE_UNREACHABLE') throw error;
    }
    await sleep(pauseMs, undefined, { signal });
  }
}
