/** No-op jobs per second through a store, each enqueued, claimed and completed. */
import type { JobStore } from '@skein/jobs';
import { DONE, noop, offerFor } from './noop.ts';

/** Jobs in flight; what BullMQ's `concurrency` is. */
const IN_FLIGHT = 100;

/**
 * Enqueues in calls of 100 while workers claim and complete, 100 in flight in all.
 * @param store as the producer and the workers have it opened: one and the same in a node.
 * @returns jobs per second, from the first enqueue to the last completion.
 */
export async function storeThroughput(
  store: { readonly producer: JobStore; readonly worker: JobStore },
  workers: number,
  jobs: number,
): Promise<number> {
  const begun = performance.now();
  const never = new AbortController().signal;
  let left = jobs;
  async function enqueue(): Promise<void> {
    for (let made = 0; made < jobs; made += IN_FLIGHT) {
      const count = Math.min(IN_FLIGHT, jobs - made);
      await store.producer.enqueue(Array.from({ length: count }, () => noop()));
    }
  }
  async function work(name: string): Promise<void> {
    while (left > 0) {
      const claims = await store.worker.claim(offerFor(IN_FLIGHT / workers, name));
      await Promise.all(claims.map(({ token }) => store.worker.finish(token, DONE)));
      left -= claims.length;
      if (claims.length === 0 && left > 0)
        await store.worker.waitForWork(['bench'], 20, never, name);
    }
  }
  await Promise.all([
    enqueue(),
    ...Array.from({ length: workers }, (_, index) => work(`bench-${index}`)),
  ]);
  return jobs / ((performance.now() - begun) / 1000);
}
