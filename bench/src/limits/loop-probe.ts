/**
 * Loaded into a node before all other code: reports over HTTP the longest time for which its main
 * thread was busy without returning to the event loop since the last report, and the memory of its
 * process. Busy time is processor time, so that other processes of the machine do not count. The
 * port is written to the file that the environment names.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread } from 'node:worker_threads';

export interface LoopReading {
  /** Longest time of the processor between two turns of a timer of 1 ms. */
  readonly blockedMs: number;
  readonly rssBytes: number;
}

const LOOK_MS = 1;

const portFile = process.env['SKEIN_BENCH_LOOP_PROBE'];
if (portFile !== undefined && isMainThread) {
  const busyMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let before = busyMs();
  let blockedMs = 0;
  setInterval(() => {
    const now = busyMs();
    blockedMs = Math.max(blockedMs, now - before);
    before = now;
  }, LOOK_MS).unref();
  const server = createServer((_, response) => {
    const reading: LoopReading = { blockedMs, rssBytes: process.memoryUsage.rss() };
    blockedMs = 0;
    // A connection that is kept may be closed while the next question is on its way.
    response.setHeader('connection', 'close');
    response.end(JSON.stringify(reading));
  });
  server.listen(0, '127.0.0.1', () => {
    writeFileSync(portFile, String((server.address() as AddressInfo).port));
  });
  server.unref();
}
