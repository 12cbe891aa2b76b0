/** One job from its acceptance to its end. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, failure, job, success } from '../testing/fixtures.ts';

overEveryStore('one job', (at) => {
  it('goes from ready through running to succeeded, and keeps its spec', async () => {
    const spec = job({ group: 'g', deadline: at.now + 1e6, requires: ['a', 'b'], priority: 1.5 });
    const [made] = await at.store.enqueue([spec]);
    expect(made).toMatchObject({
      ...spec,
      state: 'ready',
      enqueuedAt: at.now,
      readyAt: at.now,
      attempts: [],
    });
    at.now += 5;
    const claim = await claimOne(at.store, { labels: ['b', 'c', 'a'] });
    expect(claim).toMatchObject({
      attempt: 1,
      job: { id: made?.id, state: 'running', startedAt: at.now },
    });
    at.now += 7;
    const usage = { cpuMs: 3 };
    const outcome = { ...success({ x: ['ü'] }), usage };
    expect(await at.store.finish(claim.token, outcome)).toBe('succeeded');
    expect(await at.store.job(made?.id ?? '')).toMatchObject({
      ...spec,
      state: 'succeeded',
      endedAt: at.now,
      result: { value: { x: ['ü'] }, outputs: [] },
      attempts: [
        {
          number: 1,
          token: claim.token,
          worker: 'w',
          startedAt: at.now - 7,
          endedAt: at.now,
          outcome: 'succeeded',
          usage,
        },
      ],
    });
  });

  it('accepts one outcome per token', async () => {
    await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    expect(await at.store.finish(token, success(1))).toBe('succeeded');
    expect(await at.store.finish(token, success(2))).toBeUndefined();
    expect(await at.store.finish(token, failure())).toBeUndefined();
    expect(await at.store.progress(token, 1, '')).toBe(false);
    expect(await at.store.appendLog(token, 0, Buffer.from('x'))).toBe(false);
    expect(await at.store.saveCheckpoint(token, 'ff')).toBe(false);
  });

  it('gives tokens that grow over the whole store, also after it was opened again', async () => {
    const tokens: number[] = [];
    for (const queue of ['a', 'b', 'a', 'c']) {
      await enqueueOne(at.store, { queue });
      tokens.push((await claimOne(at.store, { queues: [queue] })).token);
      await at.reopen();
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(4);
  });

  it('waits until notBefore', async () => {
    const id = await enqueueOne(at.store, { notBefore: at.now + 1000 });
    expect(await at.state(id)).toBe('blocked');
    expect(await at.store.tick()).toBe(at.now + 1000);
    await at.pass(999);
    expect(await at.ids()).toEqual([]);
    await at.pass(1);
    expect(await at.ids()).toEqual([id]);
  });

  it('fails at its deadline, wherever it is', async () => {
    const waiting = await enqueueOne(at.store, { deadline: at.now + 1000, queue: 'other' });
    const running = await enqueueOne(at.store, { deadline: at.now + 1000 });
    const { token } = await claimOne(at.store);
    await at.pass(1000);
    for (const id of [waiting, running]) {
      expect(await at.store.job(id)).toMatchObject({ state: 'failed', cause: 'deadline' });
    }
    expect(await at.store.finish(token, success())).toBeUndefined();
  });

  it('is removed when its retention is over', async () => {
    const id = await enqueueOne(at.store, { retentionMs: 1000, group: 'g', idempotencyKey: 'k' });
    const { token } = await claimOne(at.store);
    await at.store.appendLog(token, 0, Buffer.from('x'));
    await at.store.finish(token, success());
    await at.pass(999);
    expect(await at.state(id)).toBe('succeeded');
    await at.pass(1);
    expect(await at.store.job(id)).toBeUndefined();
    expect((await at.store.jobs({ limit: 10 })).jobs).toEqual([]);
    expect((await at.store.jobs({ limit: 10, group: 'g' })).jobs).toEqual([]);
    expect((await at.store.queues())[0]?.counts.succeeded).toBe(0);
    expect(await enqueueOne(at.store, { idempotencyKey: 'k' })).not.toBe(id);
  });

  it('is removed at once on request, unless it has not ended', async () => {
    const id = await enqueueOne(at.store, { group: 'g', idempotencyKey: 'k' });
    expect(await at.store.remove(id)).toMatchObject({ state: 'ready' });
    const { token } = await claimOne(at.store);
    expect(await at.store.remove(id)).toMatchObject({ state: 'running' });
    await at.pass(1);
    await at.store.finish(token, success());
    expect(await at.state(id)).toBe('succeeded');
    expect(await at.store.remove(id)).toMatchObject({ id, state: 'succeeded' });
    await at.pass(1);
    expect(await at.store.job(id)).toBeUndefined();
    expect(await at.store.remove(id)).toBeUndefined();
    expect((await at.store.jobs({ limit: 10, group: 'g' })).jobs).toEqual([]);
    expect((await at.store.queues())[0]?.counts.succeeded).toBe(0);
    expect(await enqueueOne(at.store, { idempotencyKey: 'k' })).not.toBe(id);
  });
});
