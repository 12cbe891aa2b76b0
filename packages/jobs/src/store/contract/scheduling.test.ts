/** The order in which jobs start: priorities, fair shares, and what fits an offer. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, job, offer, success } from '../testing/fixtures.ts';

const small = { cores: 1, memoryBytes: 2 ** 20 };

overEveryStore('scheduling', (at) => {
  it('runs higher priority first, and lets waiting time count', async () => {
    const patient = await enqueueOne(at.store);
    const urgent = await enqueueOne(at.store, { priority: 1 });
    at.now += 30_000;
    const late = await enqueueOne(at.store, { priority: 2 });
    const first = await enqueueOne(at.store, { priority: 3 });
    expect(await at.ids()).toEqual([first, urgent, late, patient]);
  });

  it('keeps the order of enqueueing among equals', async () => {
    const made = await at.store.enqueue(Array.from({ length: 20 }, () => job()));
    expect(await at.ids()).toEqual(made.map((each) => each.id));
  });

  it('shares between tenants by weight when one place is offered at a time', async () => {
    await at.store.putTenant({ tenant: 'a', weight: 3 });
    await at.store.putTenant({ tenant: 'b', weight: 1 });
    for (const tenant of ['a', 'b']) {
      await at.store.enqueue(Array.from({ length: 40 }, () => job({ tenant })));
    }
    let of = 0;
    for (let round = 0; round < 40; round += 1) {
      const claim = await claimOne(at.store);
      if (claim.job.tenant === 'a') of += 1;
      await at.store.finish(claim.token, success());
    }
    expect(of).toBe(30);
  });

  it('shares by the dominant resource of running jobs', async () => {
    await at.store.registerWorker({
      worker: 'w',
      host: 'h',
      queues: ['q'],
      labels: [],
      total: { cores: 10, memoryBytes: 1000 },
      mode: 'open',
      startedAt: at.now,
    });
    await at.store.enqueue(
      Array.from({ length: 20 }, () =>
        job({ tenant: 'cpu', resources: { cores: 1, memoryBytes: 10 } }),
      ),
    );
    await at.store.enqueue(
      Array.from({ length: 20 }, () =>
        job({ tenant: 'ram', resources: { cores: 0.1, memoryBytes: 200 } }),
      ),
    );
    const claims = await at.store.claim(offer({ free: { cores: 10, memoryBytes: 1000 } }));
    const by = Map.groupBy(claims, (claim) => claim.job.tenant);
    // 20 % of the memory weighs as much as two cores of ten.
    expect(by.get('ram')?.length).toBe(4);
    expect(by.get('cpu')?.length).toBe(9);
  });

  it('gives an idle tenant no credit for the time that it was idle', async () => {
    await at.store.enqueue(Array.from({ length: 40 }, () => job({ tenant: 'a' })));
    for (let round = 0; round < 20; round += 1) {
      await at.store.finish((await claimOne(at.store)).token, success());
    }
    await at.store.enqueue(Array.from({ length: 40 }, () => job({ tenant: 'b' })));
    let ofB = 0;
    for (let round = 0; round < 10; round += 1) {
      const claim = await claimOne(at.store);
      if (claim.job.tenant === 'b') ofB += 1;
      await at.store.finish(claim.token, success());
    }
    expect(ofB).toBeGreaterThanOrEqual(5);
    expect(ofB).toBeLessThanOrEqual(6);
  });

  it('limits the running jobs of a tenant', async () => {
    await at.store.putTenant({ tenant: 't', weight: 1, maxRunning: 2 });
    await at.store.enqueue([job(), job(), job()]);
    const claims = await at.store.claim(offer());
    expect(claims).toHaveLength(2);
    expect(await at.ids()).toEqual([]);
    await at.store.finish(claims[0]?.token ?? 0, success());
    expect(await at.ids()).toHaveLength(1);
  });

  it('skips a job that does not fit, in the same lane and in other lanes', async () => {
    const memoryBytes = 2 ** 30;
    await enqueueOne(at.store, { resources: { cores: 8, memoryBytes } });
    await enqueueOne(at.store, { requires: ['gpu'] });
    await enqueueOne(at.store, { resources: { cores: 1, memoryBytes: memoryBytes + 1 } });
    const fits = await enqueueOne(at.store, { resources: { cores: 1, memoryBytes } });
    await enqueueOne(at.store, { resources: { cores: 1.5, memoryBytes } });
    expect(await at.ids({ free: { cores: 2, memoryBytes } })).toEqual([fits]);
  });

  it('starts only jobs that fit together into the offer', async () => {
    await at.store.enqueue(
      Array.from({ length: 5 }, () => job({ resources: { cores: 0.7, memoryBytes: 1 } })),
    );
    expect(await at.ids({ free: { cores: 2.1, memoryBytes: 10 } })).toHaveLength(3);
    expect(await at.ids({ max: 1 })).toHaveLength(1);
  });

  it('does not read 100 jobs of another tenant to find one job', async () => {
    await at.store.enqueue(
      Array.from({ length: 500 }, () => job({ tenant: 'flood', requires: ['gpu'] })),
    );
    const mine = await enqueueOne(at.store, { tenant: 'me', resources: small });
    expect(await at.ids()).toEqual([mine]);
  });
});
