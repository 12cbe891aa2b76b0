/** A long queue is the store's, not the node's: its length must not be seen in the memory of whoever enqueues or works. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { taskWork } from '../tasks/define-task.ts';
import { jobSpec } from '../worker/testing/worker-fixture.ts';
import { FAULT_STORES, ROUNDS } from './testing/fault-stores.ts';
import { signs } from './testing/fault-tasks.ts';
import { startWorkerProcess } from './testing/worker-process.ts';

const TASKS = join(import.meta.dirname, 'testing/fault-tasks.ts');
const JOBS = ROUNDS >= 200 ? 100_000 : 20_000;
const BATCH = 2000;
const MIB = 2 ** 20;

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

describe.each(FAULT_STORES)(`${JOBS} queued jobs over $name`, (faults) => {
  it('take no memory of the node, and hold up nobody', { timeout: 180_000 }, async () => {
    await using place = await faults.open();
    const options = { store: place.store, blobs: place.blobs, leaseMs: 10_000, isolated: false };
    const node = await startWorkerProcess(options);
    const spec = jobSpec(taskWork(signs, TASKS, { ms: 0 }), { queue: 'flood' });
    const batch = Array.from({ length: BATCH }, () => spec);
    // What the first batches warm up is no growth.
    for (let queued = 0; queued < JOBS / 4; queued += BATCH) await node.call('enqueue', batch);
    const early = residentBytes(node.pid);
    for (let queued = JOBS / 4; queued < JOBS; queued += BATCH) await node.call('enqueue', batch);
    const grown = residentBytes(node.pid) - early;
    expect(grown).toBeLessThan(96 * MIB);

    const [queue] = await node.call('queues');
    expect(queue).toMatchObject({
      queue: 'flood',
      counts: { ready: expect.any(Number) as number },
    });
    expect(queue!.counts.ready).toBeGreaterThanOrEqual(JOBS);
    const [job] = await node.call('enqueue', [{ ...spec, queue: 'default' }]);
    await expect
      .poll(async () => (await node.call('job', job!.id))?.state, { timeout: 30_000 })
      .toBe('succeeded');
    await node.kill();
  });
});
