/** Jobs that start together or not at all. */
import { expect, it } from 'vitest';
import type { LeaseNotification } from '../../contract.ts';
import { ASSEMBLY_MS } from '../bounds.ts';
import { overEveryStore } from '../testing/every-store.ts';
import { enqueueOne, failure, job, offer, success } from '../testing/fixtures.ts';

overEveryStore('gangs', (at) => {
  const members = (id: string, size: number, more = {}) =>
    Array.from({ length: size }, (_, rank) => job({ gang: { id, size, rank }, ...more }));
  const one = { free: { cores: 1, memoryBytes: 2 ** 30 }, max: 1 };
  const address = { host: 'rank0.example', port: 29500 };

  it('starts when all members have a place, and gives the address of rank 0', async () => {
    await at.store.enqueue(members('g', 2));
    expect(await at.store.claim(offer({ ...one, worker: 'w1', address }))).toEqual([]);
    expect(await at.store.claim(offer({ ...one, worker: 'w1', address }))).toEqual([]);
    const second = await at.store.claim(offer({ ...one, worker: 'w2' }));
    expect(second).toMatchObject([{ job: { gang: { rank: 1 } }, master: address }]);
    const first = await at.store.claim(offer({ ...one, worker: 'w1', address }));
    expect(first).toMatchObject([{ job: { gang: { rank: 0 } }, master: address }]);
    expect(await at.store.finish(first[0]?.token ?? 0, success())).toBe('running');
    expect(await at.store.finish(second[0]?.token ?? 0, success())).toBe('succeeded');
    expect(await at.state(first[0]?.job.id ?? '')).toBe('succeeded');
  });

  it('waits until all of it has been enqueued and is ready', async () => {
    const [a, b] = members('g', 2);
    await at.store.enqueue(a ? [a] : []);
    expect(await at.ids()).toEqual([]);
    await at.store.enqueue(b ? [{ ...b, notBefore: at.now + 10 }] : []);
    expect(await at.ids()).toEqual([]);
    await at.pass(10);
    expect(await at.ids()).toHaveLength(2);
  });

  it('never deadlocks two gangs', async () => {
    await at.store.enqueue(members('g1', 2));
    await at.store.enqueue(members('g2', 2));
    const started: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      for (const worker of ['w1', 'w2']) {
        for (const claim of await at.store.claim(offer({ ...one, worker }))) {
          started.push(claim.job.gang?.id ?? '');
          // Its partner may still have to be fetched; both end in the next round.
        }
      }
      if (round === 1) {
        const { jobs } = await at.store.jobs({ state: 'running', queue: 'q', limit: 10 });
        for (const each of jobs) await at.store.finish(each.attempts.at(-1)?.token ?? 0, success());
      }
    }
    expect(started).toEqual(['g1', 'g1', 'g2', 'g2']);
  });

  it('gives its places back when it cannot be placed in time, so that other gangs can start', async () => {
    await at.store.enqueue(members('huge', 3));
    const single = await enqueueOne(at.store, { priority: -100 });
    expect(await at.ids({ ...one, worker: 'w1' })).toEqual([]);
    expect(await at.ids({ ...one, worker: 'w1' })).toEqual([]);
    await at.pass(ASSEMBLY_MS);
    expect(await at.ids({ ...one, worker: 'w1' })).toEqual([single]);
  });

  it('is retried as a whole when a member is lost', async () => {
    await at.store.enqueue(members('g', 3));
    const claims = await at.store.claim(offer());
    expect(claims).toHaveLength(3);
    const [a, b, c] = claims.map((claim) => claim.token);
    await at.store.finish(a ?? 0, success());
    const received: LeaseNotification[] = [];
    const stop = await at.store.onLeaseNotification('w', (notification) =>
      received.push(notification),
    );
    await at.store.finish(b ?? 0, failure());
    expect(await at.store.finish(c ?? 0, success())).toBeUndefined();
    const again = await at.store.claim(offer());
    expect(again.map((claim) => claim.job.gang?.rank)).toEqual([0, 1, 2]);
    expect(again.map((claim) => claim.job.attempts[0]?.outcome)).toEqual([
      'succeeded',
      'error',
      'gang-broken',
    ]);
    for (const { token } of again) await at.store.finish(token, success());
    expect((await at.store.queues())[0]?.counts).toMatchObject({
      succeeded: 3,
      running: 0,
      ready: 0,
    });
    await stop();
  });

  it('ends as a whole when a member cannot be retried', async () => {
    const made = await at.store.enqueue(members('g', 2));
    const [claim] = await at.store.claim(offer());
    await at.store.finish(claim?.token ?? 0, failure({ retryable: false }));
    expect(await at.state(made[0]?.id ?? '')).toBe('failed');
    expect(await at.store.job(made[1]?.id ?? '')).toMatchObject({
      state: 'failed',
      cause: 'gang-broken',
    });
    await at.store.revive(made[0]?.id ?? '');
    expect(await at.ids()).toHaveLength(2);
  });

  it('counts a whole gang against the limit of its tenant', async () => {
    await at.store.putTenant({ tenant: 't', weight: 1, maxRunning: 1 });
    await at.store.enqueue(members('g', 2));
    const single = await enqueueOne(at.store);
    expect(await at.ids()).toEqual([single]);
  });
});
