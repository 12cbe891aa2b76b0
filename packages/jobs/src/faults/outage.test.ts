/** The server of a fleet's store is killed and restarted on its append-only file while workers work. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { taskWork } from '../tasks/define-task.ts';
import { workerFixture } from '../worker/testing/worker-fixture.ts';
import { FULL } from './testing/fault-size.ts';
import { FAULT_STORES } from './testing/fault-stores.ts';
import { openStore } from './testing/worker-main.ts';
import { naps } from './testing/fault-tasks.ts';

const TASKS = join(import.meta.dirname, 'testing/fault-tasks.ts');
const napping = (ms: number) => taskWork(naps, TASKS, { ms });
const ROUNDS = FULL ? 20 : 1;
const long = { timeout: 30_000 };

describe.each(FAULT_STORES.filter(({ shared }) => shared))('an outage of $name', (faults) => {
  const limit = { timeout: 60_000 + ROUNDS * 30_000 };
  it('shorter than a lease costs no attempt and no outcome', limit, async () => {
    await using place = await faults.open();
    const redis = place.server!;
    const store = await openStore(place.store);
    await using jobs = await workerFixture({ store });
    const worker = await jobs.start({ leaseMs: 60_000 });
    const stateOf = async (id: string) => (await store.job(id).catch(() => undefined))?.state;
    const phases = () => worker.running().map(({ phase }) => phase);

    for (let round = 0; round < ROUNDS; round++) {
      const before = await jobs.run(napping(0));
      // One job ends in the middle of the outage, the other one after it.
      const short = await jobs.enqueue(napping(1000));
      await expect.poll(phases, long).toEqual(['working']);
      const lasting = await jobs.enqueue(napping(4000));
      await expect.poll(phases, long).toEqual(['working', 'working']);
      await redis.kill();
      await expect.poll(phases, long).toEqual(['reporting', 'working']);
      await redis.start();
      for (const { id } of [short, lasting]) {
        await expect.poll(() => stateOf(id), long).toBe('succeeded');
        const job = await store.job(id);
        expect(job).toMatchObject({ result: { value: { attempt: 1 } } });
        expect(job!.attempts).toHaveLength(1);
        expect(await jobs.logOf(id)).toBe('attempt 1\n');
      }
      // Transitions that were acknowledged before the outage are kept.
      expect(await store.job(before.id)).toEqual(before);
    }
    // Work resumes without any intervention.
    const after = await jobs.enqueue(napping(0));
    await expect.poll(() => stateOf(after.id), long).toBe('succeeded');
  });

  it(
    'longer than a lease ends the work, which is then done again',
    { timeout: 120_000 },
    async () => {
      await using place = await faults.open();
      const redis = place.server!;
      const store = await openStore(place.store);
      await using jobs = await workerFixture({ store });
      const worker = await jobs.start({ leaseMs: 1500 });
      const job = await jobs.enqueue(napping(6000), {
        retry: { maxAttempts: 9, backoffMs: 0, maxBackoffMs: 0 },
      });
      await expect.poll(() => worker.running().length, long).toBe(1);
      await redis.kill();
      await expect.poll(() => worker.running(), long).toEqual([]);
      await redis.start();
      const stateOf = async () => (await store.job(job.id).catch(() => undefined))?.state;
      await expect.poll(stateOf, long).toBe('succeeded');
      const ended = await store.job(job.id);
      expect(ended!.attempts.map(({ outcome }) => outcome)).toEqual(['lease-lost', 'succeeded']);
      expect(ended!.result?.value).toEqual({ attempt: 2 });
    },
  );
});
