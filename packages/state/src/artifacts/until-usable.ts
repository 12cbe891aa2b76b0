/** Waits for a bucket that could not be used when it was opened, and tells what it learns. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SkeinError } from '@skein/api/errors';

/** Hears why a bucket cannot be used, whenever the reason is another one, and undefined once it can. */
export type AwayListener = (reason: SkeinError | undefined) => void;

const RETRY_MS = 5000;

/** @param probe throws when the bucket cannot be used. @returns ends the waiting. */
export function untilUsable(
  probe: (signal: AbortSignal) => Promise<void>,
  heard: AwayListener,
): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  const run = async (): Promise<void> => {
    for (let told: string | undefined; ;) {
      try {
        await probe(signal);
        if (told !== undefined) heard(undefined);
        return;
      } catch (error) {
        const reason = error as SkeinError;
        if (signal.aborted) return;
        if (reason.message !== told) heard(reason);
        told = reason.message;
      }
      await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
    }
  };
  void run();
  return () => ending.abort();
}
