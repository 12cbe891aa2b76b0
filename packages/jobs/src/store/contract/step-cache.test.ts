/** The result of an equal, finished job is reused. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, job, success } from '../testing/fixtures.ts';

overEveryStore('the step cache', (at) => {
  const step = { cacheKey: 'k'.repeat(64) };

  it('reuses a kept success instead of running, in the same tenant', async () => {
    const first = await enqueueOne(at.store, step);
    const twin = await enqueueOne(at.store, step);
    await enqueueOne(at.store, { ...step, tenant: 'other', queue: 'other' });
    const { token } = await claimOne(at.store);
    await at.store.finish(token, success(42));
    expect(await at.ids()).toEqual([]);
    for (const id of [twin, await enqueueOne(at.store, step)]) {
      expect(await at.store.job(id)).toMatchObject({
        state: 'succeeded',
        result: { value: 42 },
        attempts: [],
      });
    }
    expect((await at.store.job(twin))?.cachedFrom).toBe(first);
    expect(await at.ids({ queues: ['other'] })).toHaveLength(1);
  });

  it('releases the children, and runs again when the success is removed', async () => {
    await enqueueOne(at.store, { ...step, retentionMs: 1000 });
    await at.store.finish((await claimOne(at.store)).token, success());
    const [, child] = await at.store.enqueue([
      job({ ...step, id: 'cached', retentionMs: 1000 }),
      job({ parents: ['cached'] }),
    ]);
    expect(child?.state).toBe('ready');
    await at.pass(1000);
    expect(await at.state(await enqueueOne(at.store, step))).toBe('ready');
  });
});
