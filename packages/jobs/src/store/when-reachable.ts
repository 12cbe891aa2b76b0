/** Work that waits for a store that is away, such as after a node that started without it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';

const RETRY_MS = 1000;

export function isAway(error: unknown): boolean {
  return error instanceof SkeinError && error.code === 'STORE_UNREACHABLE';
}

/**
 * Repeats an act for as long as the store is away.
 * @throws what else the act throws, and STORE_UNREACHABLE once `isEnding`.
 */
export async function whenReachable<T>(act: () => Promise<T>, isEnding: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isAway(error) || isEnding()) throw error;
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  }
}
