/** The peer BullMQ: a queue and a worker as its documentation writes them. */
import { Queue, Worker } from 'bullmq';

/**
 * Adds in calls of 100 (`addBulk`) while a worker runs them, `concurrency: 100`.
 * @returns jobs per second, from the first add to the last completion.
 */
export async function bullmqThroughput(port: number, jobs: number): Promise<number> {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const queue = new Queue('bench', { connection });
  await queue.waitUntilReady();
  let done = 0;
  const all = Promise.withResolvers<void>();
  const worker = new Worker('bench', () => Promise.resolve(null), { connection, concurrency: 100 });
  worker.on('completed', () => {
    done += 1;
    if (done === jobs) all.resolve();
  });
  worker.on('error', all.reject);
  await worker.waitUntilReady();
  const begun = performance.now();
  for (let made = 0; made < jobs; made += 100) {
    await queue.addBulk(
      Array.from({ length: Math.min(100, jobs - made) }, () => ({ name: 'noop', data: {} })),
    );
  }
  await all.promise;
  const seconds = (performance.now() - begun) / 1000;
  await worker.close();
  await queue.close();
  return jobs / seconds;
}
