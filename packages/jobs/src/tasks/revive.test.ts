/** Which of its failed jobs a task brings back, in every store. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../store/testing/every-store.ts';
import { claimOne, enqueueOne, failure } from '../store/testing/fixtures.ts';
import { createTaskJobs } from './task-jobs.ts';

overEveryStore('a run that is tried again', (at) => {
  const work = { kind: 'command' as const, argv: ['true'] };
  const once = { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 };
  const never = new AbortController().signal;
  const jobsOf = async () => createTaskJobs(at.store, (await at.store.job('run'))!, never);
  const error = { kind: 'failed', cause: 'error', message: 'no', retryable: false } as const;

  it('does not try again what has failed for good meanwhile, until it is revived itself', async () => {
    await enqueueOne(at.store, { id: 'run', retry: { ...once, maxAttempts: 3 } });
    await claimOne(at.store, { worker: 'lost', leaseMs: 5000 });
    const [lost, cancelled] = await (
      await jobsOf()
    ).enqueue([
      { work, retry: once },
      { work, retry: once },
    ]);
    expect((await claimOne(at.store, { worker: 'lost', leaseMs: 5000 })).job.id).toBe(lost!.id);
    await at.store.cancel(cancelled!.id, 'by hand');
    await at.pass(10_000);
    expect(await at.state(lost!.id)).toBe('dead');

    const second = await claimOne(at.store);
    expect(second.job.id).toBe('run');
    await (await jobsOf()).revive([lost!.id, cancelled!.id]);
    expect(await at.state(lost!.id)).toBe('dead');
    expect(await at.state(cancelled!.id)).toBe('ready');

    await at.store.finish(second.token, error);
    await at.store.revive('run');
    await claimOne(at.store, { worker: 'lost', leaseMs: 5000 });
    await (await jobsOf()).revive([lost!.id]);
    expect(await at.state(lost!.id)).toBe('ready');
  });

  it('continues with what it was revived for when it is lost then', async () => {
    await enqueueOne(at.store, { id: 'run', retry: { ...once, maxAttempts: 3 } });
    const first = await claimOne(at.store);
    const [step] = await (await jobsOf()).enqueue([{ work, retry: once }]);
    await at.store.finish((await claimOne(at.store)).token, failure({ cause: 'timeout' }));
    expect(await at.state(step!.id)).toBe('dead');
    await at.pass(1);
    await at.store.finish(first.token, error);
    await at.store.revive('run');
    await claimOne(at.store, { worker: 'lost', leaseMs: 5000 });
    await at.pass(10_000);
    expect((await claimOne(at.store)).job.id).toBe('run');
    await (await jobsOf()).revive([step!.id]);
    expect(await at.state(step!.id)).toBe('ready');
  });
});
