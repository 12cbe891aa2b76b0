/** Waits for a bucket that could not be used when it was opened, and notifies its listener of the reasons. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SkeinError } from '@skein/api/errors';

/** Receives the reason why a bucket cannot be used, whenever it changes, and undefined once the bucket can be used. */
export type AwayListener = (reason: SkeinError | undefined) => void;

const RETRY_MS = 5000;

/** @param probe throws when the bucket cannot be used. @returns ends the waiting. */
export function untilUsable(
  probe: (signal: AbortSignal) => Promise<void>,
  listener: AwayListener,
): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  const run = async (): Promise<void> => {
    for (let reported: string | undefined; ;) {
      try {
        await probe(signal);
        if (reported !== undefined) listener(undefined);
        return;
      } catch (error) {
        const reason = error as SkeinError;
        if (signal.aborted) return;
        if (reason.message !== reported) listener(reason);
        reported = reason.message;
      }
      await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
    }
  };
  void run();
  return () => ending.abort();
}
