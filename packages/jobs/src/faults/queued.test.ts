/**
 * A long queue takes memory of the store, not of the node that enqueues or works. The heaps of the
 * node are limited to a third of the queue's size, so a node that holds its jobs in a heap dies of
 * it, and memory outside of the heaps shows in its resident size.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { taskWork } from '../tasks/define-task.ts';
import { jobSpec } from '../worker/testing/worker-fixture.ts';
import { QUEUED_JOBS as JOBS } from './testing/fault-size.ts';
import { FAULT_STORES } from './testing/fault-stores.ts';
import { signs } from './testing/fault-tasks.ts';
import { startWorkerProcess } from './testing/worker-process.ts';

const TASKS = join(import.meta.dirname, 'testing/fault-tasks.ts');
const MIB = 2 ** 20;
const BATCH = 500;
/** Memory that the first batches take for warm-up does not count as growth. */
const WARM = JOBS / 4;
/** Bytes of one job: all jobs together have 160 MiB. */
const JOB_BYTES = Math.floor((160 * MIB) / JOBS);
const HEAP_MIB = 48;

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

describe.each(FAULT_STORES)(`${JOBS} queued jobs over $name`, (faults) => {
  it(
    'take no memory of the node, and do not slow other jobs down',
    { timeout: 600_000 },
    async () => {
      await using place = await faults.open();
      const options = { store: place.store, blobs: place.blobs, leaseMs: 10_000, isolated: false };
      const node = await startWorkerProcess(options, HEAP_MIB);
      const spec = jobSpec(taskWork(signs, TASKS, { ms: 0 }), { queue: 'flood' });
      const padding = 'x'.repeat(JOB_BYTES);
      const enqueue = async (from: number, to: number): Promise<void> => {
        for (let next = from; next < to; next += BATCH) {
          const batch = Array.from({ length: BATCH }, (_, index) => ({
            ...spec,
            name: `${next + index} ${padding}`,
          }));
          await node.call('enqueue', batch);
        }
      };
      await enqueue(0, WARM);
      const warm = residentBytes(node.pid);
      await enqueue(WARM, JOBS);
      const bytesPerJob = (residentBytes(node.pid) - warm) / (JOBS - WARM);
      process.stdout.write(
        `${JOBS} queued jobs over ${faults.name}: ${Math.round(bytesPerJob)} bytes of the node for each of ${JOB_BYTES}\n`,
      );
      expect(bytesPerJob).toBeLessThan(JOB_BYTES / 3);

      const [queue] = await node.call('queues');
      expect(queue).toMatchObject({ queue: 'flood', counts: { ready: JOBS } });
      const [job] = await node.call('enqueue', [{ ...spec, queue: 'default' }]);
      await expect
        .poll(async () => (await node.call('job', job!.id))?.state, { timeout: 30_000 })
        .toBe('succeeded');
      await node.kill();
    },
  );
});
