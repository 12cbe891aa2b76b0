/**
 * Wakes waiting workers when a job may have become claimable.
 *
 * A worker claims, gets nothing, and then waits; a job that arrives between the two must not be
 * missed. So a wait compares each queue's count of arrivals with the count at the worker's last
 * claim, and returns at once when they differ.
 */
export function wakes() {
  const arrivals = new Map<string, number>();
  const countsAtClaim = new Map<string, Map<string, number>>();
  let countsAtLastClaim: ReadonlyMap<string, number> = new Map();
  const waiting = new Map<string, Set<() => void>>();
  const countOf = (queue: string): number => arrivals.get(queue) ?? 0;

  /** A job may have become claimable in the queue. */
  function notify(queue: string): void {
    arrivals.set(queue, countOf(queue) + 1);
    for (const wake of waiting.get(queue) ?? []) wake();
  }
  return {
    notify,
    notifyAll(): void {
      const queues = new Set(waiting.keys());
      for (const counts of countsAtClaim.values())
        for (const queue of counts.keys()) queues.add(queue);
      for (const queue of queues) notify(queue);
    },
    /** Call before a claim of this worker on these queues. */
    beforeClaim(worker: string, queues: readonly string[]): void {
      countsAtLastClaim = new Map(queues.map((queue) => [queue, countOf(queue)]));
      countsAtClaim.set(worker, new Map(countsAtLastClaim));
    },
    remove(worker: string): void {
      countsAtClaim.delete(worker);
    },
    wait(
      worker: string | undefined,
      queues: readonly string[],
      waitMs: number,
      signal: AbortSignal,
    ): Promise<void> {
      const counts =
        (worker === undefined ? undefined : countsAtClaim.get(worker)) ?? countsAtLastClaim;
      if (signal.aborted || queues.some((queue) => countOf(queue) !== (counts.get(queue) ?? 0))) {
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          for (const queue of queues) {
            const here = waiting.get(queue);
            here?.delete(wake);
            if (here?.size === 0) waiting.delete(queue);
          }
          resolve();
        };
        const timer = setTimeout(wake, waitMs);
        signal.addEventListener('abort', wake, { once: true });
        for (const queue of queues) {
          const here = waiting.get(queue);
          if (here) here.add(wake);
          else waiting.set(queue, new Set([wake]));
        }
      });
    },
  };
}
