/** Operations of people on jobs: cancel, preempt. */
import { expect, it } from 'vitest';
import type { LeaseNotification } from '../../contract.ts';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, failure, success } from '../testing/fixtures.ts';

overEveryStore('interventions', (at) => {
  it('cancels queued and running jobs, and notifies the worker at once', async () => {
    const waiting = await enqueueOne(at.store, { notBefore: at.now + 1e6 });
    const running = await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    const received = Promise.withResolvers<LeaseNotification>();
    const stop = await at.store.onLeaseNotification('w', received.resolve);
    for (const id of [waiting, running]) {
      expect(await at.store.cancel(id, 'by hand')).toMatchObject({
        state: 'cancelled',
        cause: 'cancelled',
        message: 'by hand',
      });
    }
    expect(await received.promise).toEqual({ token, state: 'cancel' });
    // The worker that missed the notification gets it with the next renewal, and no other worker
    // does.
    expect(await at.store.renew('w', [token], 1000)).toEqual([{ token, state: 'cancel' }]);
    expect(await at.store.renew('other', [token], 1000)).toEqual([{ token, state: 'lost' }]);
    expect(await at.store.finish(token, success())).toBeUndefined();
    expect(await at.store.cancel(running, 'twice')).toMatchObject({ message: 'by hand' });
    expect(await at.store.cancel('nobody', '')).toBeUndefined();
    await stop();
  });

  it('preempts without charging an attempt, and keeps the checkpoint', async () => {
    const id = await enqueueOne(at.store, {
      retry: { maxAttempts: 1, backoffMs: 9e6, maxBackoffMs: 9e6 },
    });
    const { token } = await claimOne(at.store);
    const received = Promise.withResolvers<LeaseNotification>();
    const stop = await at.store.onLeaseNotification('w', received.resolve);
    expect(await at.store.preempt(id)).toMatchObject({ state: 'running' });
    expect(await received.promise).toEqual({ token, state: 'preempt' });
    expect(await at.store.renew('w', [token], 1000)).toEqual([{ token, state: 'preempt' }]);
    expect(await at.store.saveCheckpoint(token, 'c0ffee')).toBe(true);
    expect(await at.store.finish(token, failure({ cause: 'preempted' }))).toBe('ready');
    const again = await claimOne(at.store);
    expect(again.job.checkpoint).toBe('c0ffee');
    expect(await at.store.finish(again.token, success())).toBe('succeeded');
    await stop();
  });
});
