/** No-op jobs per second through a store, each enqueued, claimed and completed. */
import type { JobStore } from '@skein/server';
import { DONE, noop, roomFor } from './noop.ts';

/** Jobs in flight; what BullMQ's `concurrency` is. */
const IN_FLIGHT = 100;

/**
 * Enqueues in calls of 100 while a worker claims and completes one by one, 100 in flight.
 * @returns jobs per second, from the first enqueue to the last completion.
 */
export async function storeThroughput(store: JobStore, jobs: number): Promise<number> {
  const begun = performance.now();
  const never = new AbortController().signal;
  const enqueueing = (async () => {
    for (let made = 0; made < jobs; made += IN_FLIGHT) {
      await store.enqueue(Array.from({ length: Math.min(IN_FLIGHT, jobs - made) }, () => noop()));
    }
  })();
  let done = 0;
  let inFlight = 0;
  const finishing = new Set<Promise<unknown>>();
  while (done + inFlight < jobs) {
    const claims = await store.claim(roomFor(IN_FLIGHT - inFlight));
    inFlight += claims.length;
    for (const { token } of claims) {
      const finished = store.finish(token, DONE).then(() => {
        inFlight -= 1;
        done += 1;
        finishing.delete(finished);
      });
      finishing.add(finished);
    }
    if (claims.length === 0 && finishing.size === 0) {
      await store.waitForWork(['bench'], 1000, never, 'bench');
    } else {
      // A worker asks again when some of its places are free, not for each.
      while (finishing.size > IN_FLIGHT / 2) await Promise.race(finishing);
    }
  }
  await Promise.all([...finishing, enqueueing]);
  return jobs / ((performance.now() - begun) / 1000);
}
