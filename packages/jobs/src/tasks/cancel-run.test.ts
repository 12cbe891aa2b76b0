/** A run that is cancelled takes the jobs that it has started along, in every store. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../store/testing/every-store.ts';
import { claimOne, enqueueOne, job, success } from '../store/testing/fixtures.ts';
import { cancelRun } from './cancel-run.ts';
import { createTaskJobs } from './task-jobs.ts';

overEveryStore('a run that is cancelled', (at) => {
  const work = { kind: 'command' as const, argv: ['true'] };
  const never = new AbortController().signal;

  async function begun() {
    const id = await enqueueOne(at.store, { id: 'run' });
    const { token } = await claimOne(at.store);
    const own = await at.store.job(id);
    return { id, token, jobs: createTaskJobs(at.store, own!, never) };
  }

  it('cancels what it has started and has not ended, and nothing else', async () => {
    const { id, jobs } = await begun();
    const [ended, running, ready] = await jobs.enqueue([{ work }, { work }, { work }]);
    const other = await enqueueOne(at.store, { id: 'other', priority: -1000, group: 'others' });
    const claim = await claimOne(at.store);
    expect(claim.job.id).toBe(ended!.id);
    await at.store.finish(claim.token, success());
    expect((await claimOne(at.store)).job.id).toBe(running!.id);
    expect(await cancelRun(at.store, id, 'not wanted')).toMatchObject({ state: 'cancelled' });
    expect(await at.state(ended!.id)).toBe('succeeded');
    for (const each of [running!, ready!]) {
      expect(await at.store.job(each.id)).toMatchObject({
        state: 'cancelled',
        message: expect.stringContaining('not wanted'),
      });
    }
    expect(await at.state(other)).toBe('ready');
  });

  it('cancels more jobs than a page, also of a run that has ended before', async () => {
    const { id, token, jobs } = await begun();
    await jobs.enqueue(Array.from({ length: 600 }, () => ({ work })));
    const final = {
      kind: 'failed',
      cause: 'error',
      message: 'it broke',
      retryable: false,
    } as const;
    expect(await at.store.finish(token, final)).toBe('failed');
    expect(await cancelRun(at.store, id, 'not wanted')).toMatchObject({ state: 'failed' });
    expect(await at.ids({ max: 1000 })).toEqual([]);
  });

  it('cancels what it starts in the moment before it learns of it', async () => {
    const { id, jobs } = await begun();
    await cancelRun(at.store, id, 'not wanted');
    const [late] = await jobs.enqueue([{ work }]);
    expect(await at.state(late!.id)).toBe('cancelled');
  });

  it('leaves jobs of a group that is called like a command alone', async () => {
    const command = { ...work, env: {}, inputs: [], outputs: [], limits: {}, network: 'none' };
    const id = await enqueueOne(at.store, { id: 'build', work: command as never });
    const member = await enqueueOne(at.store, { ...job(), group: id });
    await cancelRun(at.store, id, 'not wanted');
    expect(await at.state(member)).toBe('ready');
  });
});
