import { expect, it, onTestFinished, vi } from 'vitest';
import { CodecThreads, gatewayThreadsFor } from './codec-threads.ts';

/** Takes a place of `work` bytes until the test has finished. @returns the thread that has it. */
function occupy(threads: CodecThreads, work: number): unknown {
  let taken: unknown;
  const held = Promise.withResolvers<void>();
  onTestFinished(() => held.resolve());
  void threads.with(work, (worker) => {
    taken = worker;
    return held.promise;
  });
  return taken;
}

/** Resolves once a thread runs. */
const start = (threads: CodecThreads): Promise<void> =>
  threads.with(1, (worker) => worker.call('ready', undefined));

async function opened(max: number): Promise<CodecThreads> {
  const threads = new CodecThreads(max);
  onTestFinished(() => threads.close());
  await start(threads);
  return threads;
}

it('are one per core with the thread of the sockets, at least two and at most five', () => {
  expect([1, 2, 3, 5, 64].map(gatewayThreadsFor)).toEqual([2, 2, 3, 5, 5]);
});

it('start one after the other while the others are busy, and share the work', async () => {
  const threads = await opened(2);
  const first = occupy(threads, 10);
  let second: unknown;
  await vi.waitFor(() => {
    second = occupy(threads, 1);
    expect(second).not.toBe(first);
  }, 60_000);
  // The work so far decides, whichever of them has more.
  const seen = new Set(Array.from({ length: 40 }, () => occupy(threads, 1_000_000)));
  expect(seen).toEqual(new Set([first, second]));
});

it('are replaced when they end', async () => {
  const threads = await opened(1);
  const first = occupy(threads, 1);
  await threads.close();
  await start(threads);
  expect(occupy(threads, 1)).not.toBe(first);
});
