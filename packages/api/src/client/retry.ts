/**
 * Decides when to retry. Only refusals under load are retried, and only while the answer can still
 * arrive before the deadline: a wait that would pass the deadline is not started.
 */
import type { SkeinError } from '../errors.ts';

export interface RetryPolicy {
  /** Number of tries, the first included. Default: 4. */
  readonly attempts?: number;
  /** First wait in milliseconds when the node names none; doubles with each try. Default: 50. */
  readonly baseMs?: number;
  /** Longest wait in milliseconds when the node names none. Default: 2000. */
  readonly maxMs?: number;
}

/**
 * The wait in milliseconds before the next try; undefined when there is no next try.
 *
 * When the node names a wait it is used, plus up to a quarter, so that refused clients do not
 * return at the same moment. Otherwise the wait is uniformly random over an exponentially growing
 * range.
 *
 * @param tries the number of tries so far.
 * @param remainingMs until the deadline.
 * @param random uniform in [0, 1).
 */
export function retryDelay(
  policy: RetryPolicy,
  tries: number,
  error: SkeinError,
  remainingMs: number,
  random: number,
): number | undefined {
  const { attempts = 4, baseMs = 50, maxMs = 2000 } = policy;
  if (tries >= attempts || error.row.kind !== 'load') return undefined;
  const wait =
    error.retryAfterMs === undefined
      ? random * Math.min(maxMs, baseMs * 2 ** (tries - 1))
      : error.retryAfterMs * (1 + random / 4);
  return wait < remainingMs ? wait : undefined;
}

/** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
