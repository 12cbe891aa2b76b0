/** Workers that wait for work. */
import { expect, it } from 'vitest';
import type { LeaseNotification } from '../../contract.ts';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, offer } from '../testing/fixtures.ts';

overEveryStore('waiting for work', (at) => {
  const never = new AbortController().signal;

  it('ends when a job becomes ready, also between the claim and the wait', async () => {
    expect(await at.ids()).toEqual([]);
    const waiting = at.store.waitForWork(['q'], 60_000, never, 'w');
    await enqueueOne(at.store);
    await waiting;
    await claimOne(at.store);
    expect(await at.ids()).toEqual([]);
    await enqueueOne(at.store, { notBefore: at.now + 5 });
    await at.pass(5);
    await at.store.waitForWork(['q'], 60_000, never, 'w');
  });

  it('ends when it is aborted, or after its time', async () => {
    expect(await at.ids()).toEqual([]);
    await at.store.waitForWork(['q'], 1, never, 'w');
    const abort = new AbortController();
    const waiting = at.store.waitForWork(['q'], 60_000, abort.signal, 'w');
    abort.abort();
    await waiting;
  });

  it('wakes a second store on the same data', async (context) => {
    if (!at.shared) return context.skip();
    const other = await at.another();
    await other.claim(offer());
    const waiting = other.waitForWork(['q'], 60_000, new AbortController().signal, 'w');
    const id = await enqueueOne(at.store);
    await waiting;
    const { token } = await claimOne(other);
    const received = Promise.withResolvers<LeaseNotification>();
    await other.onLeaseNotification('w', received.resolve);
    await at.store.cancel(id, '');
    expect(await received.promise).toEqual({ token, state: 'cancel' });
    await other.close();
  });
});
