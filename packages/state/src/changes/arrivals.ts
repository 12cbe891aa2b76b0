/**
 * Wakes the readers of the change feed. A reader asks for the next wake-up before it reads, so a
 * change that arrives while it reads is not missed. A wake-up without a change is harmless.
 */
export interface Arrivals {
  /** Resolves at the next wake-up, after `atMostMs`, or when aborted. */
  next(atMostMs: number, signal: AbortSignal): Promise<void>;
  wake(): void;
}

export function createArrivals(): Arrivals {
  const waiting = new Set<() => void>();
  return {
    next: (atMostMs, signal) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, atMostMs).unref();
        waiting.add(done);
        if (signal.aborted) done();
        else signal.addEventListener('abort', done, { once: true });
      }),
    wake() {
      for (const done of waiting) done();
    },
  };
}
