/** From the call that enqueues a job to its start at a waiting worker with a connection of its own. */
import type { JobStore } from '@skein/jobs';
import { DONE, noop, offerFor } from './noop.ts';

/**
 * Enqueues jobs one after another for a tenant, and measures how long each takes to start. The
 * worker takes the jobs that the store gives it, ten at a time; jobs of other tenants are completed
 * at once.
 * @returns milliseconds per job.
 */
export async function pickups(
  producer: JobStore,
  consumer: JobStore,
  rounds: number,
): Promise<number[]> {
  const stop = new AbortController();
  const started = new Map<string, () => void>();
  const working = (async () => {
    while (!stop.signal.aborted) {
      const claims = await consumer.claim(offerFor(10, 'pickup'));
      for (const { job } of claims) if (job.tenant === 'probe') started.get(job.name)?.();
      await Promise.all(claims.map(({ token }) => consumer.finish(token, DONE)));
      if (claims.length === 0) {
        await consumer.waitForWork(['bench'], 1000, stop.signal, 'pickup');
      }
    }
  })();
  const samples: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const name = `probe-${round}`;
    const begun = performance.now();
    const start = new Promise<void>((resolve) => {
      started.set(name, resolve);
    });
    await producer.enqueue([noop({ tenant: 'probe', name })]);
    await start;
    samples.push(performance.now() - begun);
    started.delete(name);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  stop.abort();
  await working;
  return samples;
}
