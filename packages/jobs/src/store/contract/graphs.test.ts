/** Jobs that wait for their parents. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, job, offer, success } from '../testing/fixtures.ts';

overEveryStore('graphs', (at) => {
  it('starts a child when all of its parents have succeeded, in any order of enqueueing', async () => {
    const [child, a, b] = await at.store.enqueue([
      job({ parents: ['a', 'b', 'a'] }),
      job({ id: 'a' }),
      job({ id: 'b' }),
    ]);
    expect(child?.state).toBe('blocked');
    const claims = await at.store.claim(offer());
    expect(claims.map((claim) => claim.job.id)).toEqual([a?.id, b?.id]);
    await at.store.finish(claims[0]?.token ?? 0, success());
    expect(await at.ids()).toEqual([]);
    await at.store.finish(claims[1]?.token ?? 0, success());
    expect(await at.ids()).toEqual([child?.id]);
    expect(await at.store.enqueue([job({ parents: ['a'] })])).toMatchObject([{ state: 'ready' }]);
  });

  it('fails the children of an unsuccessful job, transitively and also those enqueued later', async () => {
    await at.store.enqueue([
      job({ id: 'a' }),
      job({ id: 'b', parents: ['a'] }),
      job({ id: 'c', parents: ['b'] }),
    ]);
    await at.store.cancel('a', 'no longer wanted');
    for (const id of ['b', 'c']) {
      expect(await at.store.job(id)).toMatchObject({ state: 'failed', cause: 'parent-failed' });
    }
    const late = await enqueueOne(at.store, { parents: ['c'] });
    expect(await at.store.job(late)).toMatchObject({ state: 'failed', cause: 'parent-failed' });
  });

  it('fails a chain of thousands without running out of stack', async () => {
    const chain = Array.from({ length: 3000 }, (_, index) =>
      job({ id: `n${index}`, parents: index === 0 ? [] : [`n${index - 1}`] }),
    );
    await at.store.enqueue(chain);
    await at.store.cancel('n0', 'all of it');
    expect(await at.state('n2999')).toBe('failed');
  });

  it('lets a repeated spec stand for the job that exists, also as a parent', async () => {
    const step = job({ id: 'first', idempotencyKey: 'step' });
    await at.store.enqueue([step]);
    const [same, child] = await at.store.enqueue([
      { ...step, id: 'again' },
      job({ parents: ['again'] }),
    ]);
    expect(same?.id).toBe('first');
    expect(child).toMatchObject({ state: 'blocked', parents: ['first'] });
    const { token } = await claimOne(at.store);
    await at.store.finish(token, success());
    expect(await at.state(child?.id ?? '')).toBe('ready');
  });
});
