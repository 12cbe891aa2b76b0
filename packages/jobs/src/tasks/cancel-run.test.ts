/** A run that is cancelled takes the jobs that it has started along, in every store. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../store/testing/every-store.ts';
import type { JobSpec } from '../contract.ts';
import { claimOne, enqueueOne, failure, job, success } from '../store/testing/fixtures.ts';
import { cancelRun } from './cancel-run.ts';
import { createTaskJobs } from './task-jobs.ts';

overEveryStore('a run that is cancelled', (at) => {
  const work = { kind: 'command' as const, argv: ['true'] };
  const never = new AbortController().signal;

  async function begun(more: Partial<JobSpec> & { id?: string } = {}) {
    const id = await enqueueOne(at.store, { id: 'run', ...more });
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

  it('cancels what it has started in a group of its own, and what that has started, alone', async () => {
    const group = 'nightly';
    const first = await begun({ id: 'first', group });
    const second = await begun({ id: 'second', group });
    const keyed = { work, idempotencyKey: 'cut' };
    const own = await first.jobs.enqueue([keyed, { work }]);
    const others = await second.jobs.enqueue([keyed, { work }]);
    const nested = createTaskJobs(at.store, (await at.store.job(own[1]!.id))!, never);
    const [inner] = await nested.enqueue([keyed]);
    const member = await enqueueOne(at.store, { ...job(), group });
    expect(new Set([...own, ...others, inner!].map(({ id }) => id)).size).toBe(5);
    expect(await first.jobs.enqueue([keyed])).toMatchObject([{ id: own[0]!.id }]);
    await cancelRun(at.store, first.id, 'not wanted');
    for (const { id } of [...own, inner!]) expect(await at.state(id)).toBe('cancelled');
    for (const id of [...others.map((each) => each.id), member]) {
      expect(await at.state(id)).toBe('ready');
    }
  });

  it.each([
    ['its deadline passes', { deadline: Date.UTC(2026, 2, 1, 13) }, () => at.pass(3_600_000)],
    [
      'its worker is lost for the last time',
      { retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 } },
      () => at.pass(10_000),
    ],
    [
      'its attempts are used up',
      { retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 } },
      (token: number) => at.store.finish(token, failure({ cause: 'timeout' })),
    ],
  ])('cancels what it has started when %s', async (_, more, ends) => {
    const { token, jobs } = await begun(more);
    const [running, ready] = await jobs.enqueue([{ work }, { work }]);
    const claim = await claimOne(at.store, { worker: 'other', leaseMs: 1e9 });
    expect(claim.job.id).toBe(running!.id);
    const other = await enqueueOne(at.store, { group: 'others' });
    const foreign = await enqueueOne(at.store, { group: 'run', tenant: 'another' });
    await ends(token);
    for (const each of [running!, ready!]) {
      expect(await at.store.job(each.id)).toMatchObject({
        state: 'cancelled',
        message: expect.stringMatching(/^Its run run ended as (failed|dead)\.$/),
      });
    }
    expect(await at.store.finish(claim.token, success())).toBeUndefined();
    expect([await at.state(other), await at.state(foreign)]).toEqual(['ready', 'ready']);
    const [late] = await jobs.enqueue([{ work }]);
    expect(await at.state(late!.id)).toBe('cancelled');
  });

  it('keeps what it has started while it is to be tried again', async () => {
    const { token, jobs } = await begun();
    const [step] = await jobs.enqueue([{ work }]);
    expect(await at.store.finish(token, failure({ cause: 'timeout' }))).not.toBe('dead');
    expect(await at.state(step!.id)).toBe('ready');
  });

  it('leaves jobs of a group that is called like a command alone', async () => {
    const command = { ...work, env: {}, inputs: [], outputs: [], limits: {}, network: 'none' };
    const id = await enqueueOne(at.store, { id: 'build', work: command as never });
    const member = await enqueueOne(at.store, { ...job(), group: id });
    await cancelRun(at.store, id, 'not wanted');
    expect(await at.state(member)).toBe('ready');
  });
});
