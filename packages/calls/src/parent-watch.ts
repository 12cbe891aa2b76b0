/**
 * The checks that a child process makes on a small thread of its own, because native code blocks
 * its event loop:
 *
 * - its parent, which it must not outlive, even one that was killed. An idle child receives the end
 *   of the channel at once; a child in the middle of a long call receives no event;
 * - its memory, when that has a bound. On Linux the kernel refuses further memory, see
 *   `memory-bound.ts`; elsewhere the child ends itself here.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Milliseconds between two checks. A child with a memory bound is checked more often. */
const INTERVAL_MS = 500;
const BOUNDED_INTERVAL_MS = 50;
/** Memory of the process without its work, in bytes: about 120 MiB are resident. */
const OWN_BYTES = 256 * 2 ** 20;

const watch = (maxMemoryBytes: number): string => `
const { writeSync } = require('node:fs');
const parent = ${process.ppid};
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  if (process.memoryUsage.rss() < ${maxMemoryBytes + OWN_BYTES}) return;
  writeSync(2, 'The process took more memory than it may.');
  process.kill(process.pid, 'SIGKILL');
}, ${maxMemoryBytes === Infinity ? INTERVAL_MS : BOUNDED_INTERVAL_MS});
`;

/** Resolves when the checks run. */
export async function watchParent(maxMemoryBytes: number): Promise<void> {
  const options = { eval: true, name: 'parent-watch', execArgv: [] };
  const worker = new Worker(watch(maxMemoryBytes), options);
  worker.unref();
  await once(worker, 'online');
}
