/** Disks that are full: of the artifacts, and of the store. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProcessSandbox } from '@skein/sandbox/process';
import { openFileArtifacts } from '@skein/state';
import { fillDisk, mountTinyDisk, tinyDisk } from '../../../state/src/testing/tiny-disk.ts';
import { openSqliteJobs } from '../store/sqlite/sqlite-jobs.ts';
import { taskWork } from '../tasks/define-task.ts';
import { command, workerFixture } from '../worker/testing/worker-fixture.ts';
import { naps } from './testing/fault-tasks.ts';

const TASKS = join(import.meta.dirname, 'testing/fault-tasks.ts');
const long = { timeout: 30_000 };

describe.skipIf(tinyDisk.skip)(`on a full disk ${tinyDisk.reason}`, () => {
  it('an output that does not fit fails its attempt and leaves no file', long, async () => {
    using disk = mountTinyDisk('size=512k');
    const driver = createProcessSandbox();
    const blobs = join(disk.folder, 'blobs');
    {
      await using jobs = await workerFixture({ sandboxes: [driver] });
      await jobs.start({ artifacts: await openFileArtifacts(blobs, { shared: true }) });
      const writing = (bytes: number) =>
        command(['/bin/sh', '-c', `head -c ${bytes} /dev/zero > out`], {
          trusted: true,
          outputs: [{ path: 'out' }],
        });
      const big = await jobs.run(writing(1_000_000));
      expect(big).toMatchObject({ state: 'dead', cause: 'error' });
      expect(big.message).toContain('full');
      expect(readdirSync(blobs)).toEqual([]);
      expect(await jobs.run(writing(1000))).toMatchObject({ state: 'succeeded' });
    }
    await driver.close();
  });

  it('the outcome of finished work waits until the store can keep it', long, async () => {
    using disk = mountTinyDisk('size=4m');
    const filler = join(disk.folder, 'filler');
    await using jobs = await workerFixture({
      store: await openSqliteJobs(join(disk.folder, 'jobs.db')),
    });
    const worker = await jobs.start({ leaseMs: 60_000 });
    const job = await jobs.enqueue(taskWork(naps, TASKS, { ms: 1000 }));
    await expect.poll(() => worker.running().length, long).toBe(1);
    fillDisk(filler);
    await expect.poll(() => worker.running()[0]?.phase, long).toBe('reporting');
    // While the disk is full, no outcome is reported.
    expect(await jobs.store.job(job.id)).toMatchObject({ state: 'running' });
    rmSync(filler);
    const ended = await jobs.ended(job.id);
    expect(ended).toMatchObject({ state: 'succeeded', result: { value: { attempt: 1 } } });
    expect(ended.attempts).toHaveLength(1);
    expect(await jobs.logOf(job.id)).toBe('attempt 1\n');
  });
});
