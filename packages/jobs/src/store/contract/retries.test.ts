/** Attempts that fail, and leases that are lost. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, failure, job, success } from '../testing/fixtures.ts';

overEveryStore('retries', (at) => {
  it('retries up to the limit, then the job is dead with its cause', async () => {
    const id = await enqueueOne(at.store, {
      retry: { maxAttempts: 2, backoffMs: 0, maxBackoffMs: 0 },
    });
    let { token } = await claimOne(at.store);
    const first = failure({ cause: 'out-of-memory', message: 'too big' });
    expect(await at.store.finish(token, first)).toBe('ready');
    expect(await at.store.job(id)).toMatchObject({
      state: 'ready',
      cause: 'out-of-memory',
      message: 'too big',
    });
    ({ token } = await claimOne(at.store));
    await at.store.finish(token, failure({ cause: 'signal', message: 'SIGSEGV' }));
    expect(await at.store.job(id)).toMatchObject({
      state: 'dead',
      cause: 'signal',
      message: 'SIGSEGV',
      attempts: [
        { number: 1, outcome: 'out-of-memory', message: 'too big' },
        { number: 2, outcome: 'signal' },
      ],
    });
  });

  it('waits a random part of a bound that doubles', async () => {
    const waits: number[] = [];
    for (let round = 0; round < 30; round += 1) {
      const id = await enqueueOne(at.store, {
        retry: { maxAttempts: 9, backoffMs: 1000, maxBackoffMs: 3000 },
      });
      for (const bound of [1000, 2000, 3000]) {
        const { token } = await claimOne(at.store);
        const failed = await at.store.finish(token, failure());
        if (failed === 'blocked') {
          const due = await at.store.tick();
          expect(due - at.now).toBeLessThan(bound);
          if (bound === 3000) waits.push(due - at.now);
          await at.pass(due - at.now);
        }
        expect(await at.state(id)).toBe('ready');
      }
      await at.store.cancel(id, 'enough');
    }
    expect(Math.max(...waits)).toBeGreaterThan(2000);
    expect(Math.min(...waits)).toBeLessThan(1000);
  });

  it('does not retry a failure that is not retryable', async () => {
    const id = await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    await at.store.finish(token, failure({ cause: 'refused', retryable: false }));
    expect(await at.store.job(id)).toMatchObject({ state: 'failed', cause: 'refused' });
  });

  it('loses a lease that is not renewed, and refuses the writes of its holder', async () => {
    const id = await enqueueOne(at.store);
    const { token } = await claimOne(at.store, { leaseMs: 1000 });
    await at.pass(900);
    expect(await at.store.renew('w', [token], 1000)).toEqual([{ token, state: 'kept' }]);
    await at.pass(999);
    expect(await at.state(id)).toBe('running');
    await at.pass(1);
    expect(await at.store.job(id)).toMatchObject({
      state: 'ready',
      attempts: [{ outcome: 'lease-lost' }],
    });
    expect(await at.store.renew('w', [token], 1000)).toEqual([{ token, state: 'lost' }]);
    expect(await at.store.finish(token, success())).toBeUndefined();
    const second = await claimOne(at.store, { worker: 'w2' });
    expect(second.token).toBeGreaterThan(token);
    expect(await at.store.renew('w', [second.token], 1000)).toEqual([
      { token: second.token, state: 'lost' },
    ]);
    expect(await at.store.appendLog(token, 0, Buffer.from('late'))).toBe(false);
    expect(await at.store.finish(second.token, success())).toBe('succeeded');
  });

  it('does not prolong leases when the clock is set back', async () => {
    const id = await enqueueOne(at.store);
    await claimOne(at.store, { leaseMs: 1000 });
    await at.pass(-3_600_000);
    await at.pass(1000);
    expect(await at.state(id)).toBe('ready');
  });

  it('revives a dead job with fresh attempts, and the children that failed because of it', async () => {
    const retry = { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 };
    await at.store.enqueue([
      job({ id: 'parent', retry }),
      job({ id: 'child', parents: ['parent'] }),
      job({ id: 'grandchild', parents: ['child'] }),
    ]);
    const { token } = await claimOne(at.store);
    await at.store.finish(token, failure());
    expect(await at.state('grandchild')).toBe('failed');
    expect(await at.store.revive('child')).toMatchObject({ state: 'failed' });
    expect(await at.store.revive('parent')).toMatchObject({ state: 'ready' });
    for (const id of ['parent', 'child', 'grandchild']) {
      const claim = await claimOne(at.store);
      expect(claim.job.id).toBe(id);
      await at.store.finish(claim.token, success());
    }
    expect(await at.state('grandchild')).toBe('succeeded');
    expect(await at.store.revive('parent')).toMatchObject({ state: 'succeeded' });
    expect(await at.store.revive('nobody')).toBeUndefined();
  });
});
