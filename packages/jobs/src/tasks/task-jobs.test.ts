/** A task's view of the jobs that it has started, in every store. */
import { expect, it } from 'vitest';
import { claimOne, enqueueOne, success } from '../store/testing/fixtures.ts';
import { overEveryStore } from '../store/testing/every-store.ts';
import { createTaskJobs } from './task-jobs.ts';

overEveryStore('the jobs of a task', (at) => {
  it('that are removed before their results are read are an error, not an endless wait', async () => {
    const run = await enqueueOne(at.store, { id: 'run' });
    await claimOne(at.store);
    const never = new AbortController().signal;
    const jobs = createTaskJobs(at.store, (await at.store.job(run))!, never);
    const [step] = await jobs.enqueue([{ work: { kind: 'command', argv: ['true'] } }]);
    const waiting = jobs.waitForAny([step!.id]);
    const { token } = await claimOne(at.store);
    await at.store.finish(token, success());
    expect(await waiting).toMatchObject([{ state: 'succeeded' }]);
    await at.store.remove(step!.id);
    await expect(jobs.waitForAny([step!.id])).rejects.toMatchObject({ code: 'JOB_UNKNOWN' });
  });
});
