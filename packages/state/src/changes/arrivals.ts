/**
 * Wakes the readers of the change feed. A reader asks for the next wake-up before it reads, so a
 * change that arrives while it reads is not missed. A wake-up without a change is harmless.
 */
export interface Arrivals {
  /** Resolves at the next wake-up, after the longest wait, or when aborted. */
  next(signal: AbortSignal): Promise<void>;
  wake(): void;
}

/** @param longestMs how long a reader waits before it reads anyway: a wake-up may have been missed. */
export function createArrivals(longestMs: number): Arrivals {
  const waiting = new Set<() => void>();
  return {
    next: (signal) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, longestMs).unref();
        waiting.add(done);
        if (signal.aborted) done();
        else signal.addEventListener('abort', done, { once: true });
      }),
    wake() {
      for (const done of waiting) done();
    },
  };
}
