/** Which jobs are accepted, and which are refused. */
import { expect, it } from 'vitest';
import { code, overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, job } from '../testing/fixtures.ts';

overEveryStore('accepting', (at) => {
  it('returns the job that exists for an idempotency key of the same tenant and queue', async () => {
    const key = { idempotencyKey: 'once' };
    const [first, second] = await at.store.enqueue([job(key), job(key)]);
    expect(second?.id).toBe(first?.id);
    const others = [
      await enqueueOne(at.store, key),
      await enqueueOne(at.store, { ...key, queue: 'q2' }),
      await enqueueOne(at.store, { ...key, tenant: 't2' }),
    ];
    expect(others[0]).toBe(first?.id);
    expect(new Set(others).size).toBe(3);
  });

  it('takes all jobs of a call or none', async () => {
    await expect(at.store.enqueue([job(), job({ parents: ['nobody'] })])).rejects.toEqual(
      code('PARENT_UNKNOWN'),
    );
    await expect(
      at.store.enqueue([job(), job({ retry: { maxAttempts: 0, backoffMs: 0, maxBackoffMs: 0 } })]),
    ).rejects.toEqual(code('REQUEST_INVALID'));
    const circle = [job({ id: 'a', parents: ['b'] }), job({ id: 'b', parents: ['a'] })];
    await expect(at.store.enqueue([job(), ...circle])).rejects.toEqual(code('REQUEST_INVALID'));
    expect((await at.store.jobs({ limit: 10 })).jobs).toEqual([]);
    expect(await at.ids()).toEqual([]);
  });

  it('takes an id that is new and refuses one that is not', async () => {
    expect(await enqueueOne(at.store, { id: 'mine' })).toBe('mine');
    await expect(enqueueOne(at.store, { id: 'mine' })).rejects.toEqual(code('REQUEST_INVALID'));
    await expect(at.store.enqueue([job({ id: 'two' }), job({ id: 'two' })])).rejects.toEqual(
      code('REQUEST_INVALID'),
    );
  });

  it('refuses a label with a comma, which no worker could offer', async () => {
    await expect(enqueueOne(at.store, { requires: ['gpu', 'a,b'] })).rejects.toThrow(/"a,b"/);
  });

  it('limits the queued jobs of a tenant, and counts blocked and ready jobs', async () => {
    await at.store.putTenant({ tenant: 't', weight: 1, maxQueued: 2 });
    await enqueueOne(at.store, { notBefore: at.now + 1e6 });
    await enqueueOne(at.store);
    await expect(enqueueOne(at.store)).rejects.toEqual(code('TENANT_QUOTA'));
    await enqueueOne(at.store, { tenant: 'other', queue: 'other' });
    await claimOne(at.store);
    await enqueueOne(at.store);
    await expect(enqueueOne(at.store)).rejects.toEqual(code('TENANT_QUOTA'));
  });

  it('limits a tenant’s jobs per second and names the time of a retry', async () => {
    await at.store.putTenant({ tenant: 't', weight: 1, jobsPerSecond: 2 });
    await at.store.enqueue([job(), job()]);
    const refused = await enqueueOne(at.store).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 500 });
    at.now += 499;
    await expect(enqueueOne(at.store)).rejects.toEqual(code('RATE_LIMITED'));
    at.now += 1;
    await enqueueOne(at.store);
  });

  it('limits a tenant no longer where the clock is set back', async () => {
    await at.store.putTenant({ tenant: 't', weight: 1, jobsPerSecond: 2 });
    await at.store.enqueue([job(), job()]);
    at.now -= 3_600_000;
    await at.store.enqueue([job(), job()]);
    await expect(enqueueOne(at.store)).rejects.toEqual(code('RATE_LIMITED'));
    at.now += 500;
    await enqueueOne(at.store);
  });

  it('applies the quota of the call to a tenant without settings, and its settings to any other', async () => {
    const quota = { maxQueued: 3, jobsPerSecond: 1000 };
    await at.store.enqueue([job(), job()], quota);
    await expect(at.store.enqueue([job(), job()], quota)).rejects.toEqual(code('TENANT_QUOTA'));
    expect(await at.store.tenantLoad('t')).toMatchObject({ queued: 2, running: 0 });
    // The refused call has left no job, and a call without a quota is not limited.
    await at.store.enqueue([job(), job()]);
    await at.store.putTenant({ tenant: 't', weight: 1, maxQueued: 6 });
    await at.store.enqueue([job(), job()], quota);
    await expect(at.store.enqueue([job()], quota)).rejects.toEqual(code('TENANT_QUOTA'));
    expect(await at.store.tenantLoad('t')).toMatchObject({ queued: 6, maxQueued: 6 });
    await claimOne(at.store);
    expect(await at.store.tenantLoad('t')).toMatchObject({ queued: 5, running: 1 });
    expect(await at.store.tenantLoad('unknown')).toMatchObject({ queued: 0, running: 0 });

    const slow = { maxQueued: 100, jobsPerSecond: 2 };
    const other = job({ tenant: 'other' });
    await at.store.enqueue([other, other], slow);
    await expect(at.store.enqueue([other], slow)).rejects.toEqual(code('RATE_LIMITED'));
    at.now += 500;
    await at.store.enqueue([other], slow);
  });

  it('refuses jobs for a draining queue, and starts its queued jobs', async () => {
    const id = await enqueueOne(at.store);
    await at.store.setQueueMode('q', 'draining');
    await expect(enqueueOne(at.store)).rejects.toEqual(code('QUEUE_DRAINING'));
    expect(await at.ids()).toEqual([id]);
    await at.store.setQueueMode('q', 'open');
    await enqueueOne(at.store);
  });

  it('starts no job of a paused queue, and accepts jobs for it', async () => {
    await at.store.setQueueMode('q', 'paused');
    const id = await enqueueOne(at.store);
    expect(await at.ids()).toEqual([]);
    await at.store.setQueueMode('q', 'open');
    expect(await at.ids()).toEqual([id]);
  });
});
