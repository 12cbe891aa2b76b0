/** Work that waits for a store that is away: a node or a worker may have started without it. */
import { SkeinError } from '@skein/api/errors';
import { unlessAborted } from '@skein/api/waits';

export interface Waiting {
  /** Ends the wait. */
  readonly ending?: AbortSignal | undefined;
  /** Receives the reason: at first, and then every half a minute. */
  readonly onAway?: ((reason: string) => void) | undefined;
}

/** After a try, which itself waits for the store for a while. */
const RETRY_MS = 1000;
const TELL_EVERY_MS = 30_000;

const AWAY: ReadonlySet<string> = new Set(['STORE_UNREACHABLE', 'STORE_REPLACED']);

/** Whether the store does not answer, or has other contents: the right ones may come back. */
export function isAway(error: unknown): error is SkeinError {
  return error instanceof SkeinError && AWAY.has(error.code);
}

/**
 * Repeats an act for as long as the store is away.
 * @throws what else the act throws; the reason of `ending` as soon as that is aborted.
 */
export async function whenReachable<T>(
  act: () => Promise<T>,
  { ending, onAway }: Waiting = {},
): Promise<T> {
  let toldAt = -Infinity;
  for (;;) {
    ending?.throwIfAborted();
    try {
      return await unlessAborted(act(), ending);
    } catch (error) {
      if (!isAway(error)) throw error;
      if (performance.now() - toldAt >= TELL_EVERY_MS) {
        toldAt = performance.now();
        onAway?.(error.message);
      }
      await unlessAborted(pause(), ending);
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
}
