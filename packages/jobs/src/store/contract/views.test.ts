/** The views of a store: lists, counts, events. */
import { expect, it } from 'vitest';
import type { JobEvent } from '../../contract.ts';
import { code, overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, failure, job, offer, success } from '../testing/fixtures.ts';

overEveryStore('what people see', (at) => {
  it('lists jobs newest first, by page and filter', async () => {
    const made = await at.store.enqueue(
      Array.from({ length: 25 }, (_, index) =>
        job({
          tenant: index % 2 ? 'odd' : 'even',
          queue: index % 3 ? 'q' : 'q3',
          ...(index % 5 ? {} : { group: 'g' }),
        }),
      ),
    );
    const all = made.map((each) => each.id).reverse();
    const seen: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await at.store.jobs({ limit: 10, after });
      seen.push(...page.jobs.map((each) => each.id));
      after = page.next;
      if (after === undefined) break;
    }
    expect(seen).toEqual(all);
    const only = async (filter: object) =>
      (await at.store.jobs({ limit: 100, ...filter })).jobs.length;
    expect(await only({ tenant: 'odd' })).toBe(12);
    expect(await only({ queue: 'q3' })).toBe(9);
    expect(await only({ group: 'g' })).toBe(5);
    expect(await only({ queue: 'q3', tenant: 'odd', state: 'ready', group: 'g' })).toBe(1);
    expect(await only({ state: 'running' })).toBe(0);
    await expect(at.store.jobs({ limit: 1, after: 'x' })).rejects.toEqual(code('REQUEST_INVALID'));
  });

  it('folds the members of a group behind one job, and fills its pages all the same', async () => {
    const all = async (filter: object, limit: number) => {
      const listed: [id: string, behind: string | undefined][] = [];
      for (let after: string | undefined; ;) {
        const page = await at.store.jobs({ folded: true, limit, after, ...filter });
        listed.push(...page.jobs.map(({ id, behind }) => [id, behind] as [string, string]));
        after = page.next;
        if (after === undefined) return listed;
        if (page.jobs.length < limit) throw new Error('The page is not full.');
      }
    };
    const gang = (rank: number) => ({ id: 'band', size: 2, rank });
    const shards = Array.from({ length: 220 }, (_, index) =>
      job({ id: `shard-${index}`, group: 'map' }),
    );
    await at.store.enqueue([
      job({ id: 'old' }),
      job({ id: 'run' }),
      job({ id: 'map', group: 'run' }),
      ...shards,
      job({ id: 'rank-0', group: 'band', gang: gang(0) }),
      job({ id: 'rank-1', group: 'band', gang: gang(1) }),
      job({ id: 'itself', group: 'itself' }),
      job({ id: 'only', group: 'elsewhere' }),
      job({ id: 'foreign', group: 'run', tenant: 'other' }),
      job({ id: 'apart', group: 'run', queue: 'q2' }),
    ]);
    const expected = [
      ['foreign', undefined],
      ['only', undefined],
      ['itself', undefined],
      ['rank-0', 'band'],
      ['run', 'run'],
      ['old', undefined],
    ];
    for (const limit of [1, 2, 5, 100]) expect(await all({}, limit)).toEqual(expected);
    expect(await all({ tenant: 'other' }, 10)).toEqual([['foreign', undefined]]);
    // Its run is in another queue.
    expect(await all({ queue: 'q2' }, 10)).toEqual([['apart', 'run']]);

    await at.store.cancel('shard-7', '');
    expect(await at.store.groupCounts('map', undefined)).toMatchObject({
      ready: 219,
      cancelled: 1,
    });
    expect(await at.store.groupCounts('run', 'other')).toMatchObject({ ready: 1 });
    expect(await at.store.groupCounts('itself')).toMatchObject({ ready: 0 });
    // The run of a map is gone.
    await at.store.cancel('run', '');
    await at.store.remove('run');
    expect((await all({}, 100)).slice(4)).toEqual([
      ['map', 'map'],
      ['old', undefined],
    ]);
  });

  it('lists the jobs of one state, of a queue and of all', async () => {
    const gang = { gang: { id: 'g', size: 2, rank: 0 }, requires: ['gang'] };
    const [first, second] = await at.store.enqueue([
      job(gang),
      job({ ...gang, gang: { ...gang.gang, rank: 1 } }),
    ]);
    const members = await at.store.claim(offer({ labels: ['gang'] }));
    expect(members).toHaveLength(2);
    // A gang member's success counts when all members have succeeded: until then it is running,
    // without a lease.
    await at.store.finish(members[0]?.token ?? 0, success());
    const done = await enqueueOne(at.store);
    await at.store.finish((await claimOne(at.store)).token, success());
    const cancelled = await enqueueOne(at.store);
    await at.store.cancel(cancelled, 'not needed');
    const running = await enqueueOne(at.store);
    await claimOne(at.store);
    const blocked = await enqueueOne(at.store, { notBefore: at.now + 1e6 });
    const ready = await enqueueOne(at.store);
    const elsewhere = await enqueueOne(at.store, { queue: 'r' });
    const listed = async (filter: object) =>
      (await at.store.jobs({ limit: 100, ...filter })).jobs.map(({ id }) => id);
    for (const [state, expected] of Object.entries({
      ready: [ready],
      blocked: [blocked],
      running: [running, second?.id, first?.id],
      succeeded: [done],
      cancelled: [cancelled],
      failed: [],
    })) {
      expect(await listed({ state, queue: 'q' }), state).toEqual(expected);
      const everywhere = state === 'ready' ? [elsewhere, ...expected] : expected;
      expect(await listed({ state }), state).toEqual(everywhere);
    }
  });

  it('counts queues', async () => {
    await at.store.enqueue([job(), job(), job({ notBefore: at.now + 1e6 })]);
    at.now += 10;
    await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    await at.store.finish(token, success());
    await claimOne(at.store);
    expect(await at.store.queues()).toEqual([
      {
        queue: 'q',
        mode: 'open',
        counts: {
          blocked: 1,
          ready: 1,
          running: 1,
          succeeded: 1,
          failed: 0,
          cancelled: 0,
          dead: 0,
        },
        oldestReadyAt: at.now,
        attempts: { succeeded: 1 },
      },
    ]);
  });

  it('counts how attempts ended, for removed jobs too', async () => {
    const attempts = async () =>
      Object.fromEntries((await at.store.queues()).map((view) => [view.queue, view.attempts]));
    await enqueueOne(at.store, { queue: 'r', retentionMs: 1 });
    expect(await attempts()).toEqual({ r: {} });
    const twice = [job({ retentionMs: 1 }), job({ retentionMs: 1 })];
    await at.store.enqueue(twice);
    for (const { token } of await at.store.claim(offer())) {
      await at.store.finish(token, failure({ cause: 'exit-code' }));
    }
    await at.store.claim(offer());
    await at.pass(10_001); // Their leases are lost.
    const [first, second] = await at.store.claim(offer());
    await at.store.finish(first?.token ?? 0, success());
    expect(await at.store.finish(first?.token ?? 0, failure())).toBeUndefined();
    await at.store.cancel(second?.job.id ?? '', 'not needed');
    const expected = { 'exit-code': 2, 'lease-lost': 2, succeeded: 1, cancelled: 1 };
    expect(await attempts()).toEqual({ q: expected, r: {} });
    await at.pass(1000);
    expect((await at.store.jobs({ queue: 'q', limit: 9 })).jobs).toEqual([]);
    await at.reopen();
    expect(await attempts()).toEqual({ q: expected, r: {} });
  });

  it('lists its workers and tenants', async () => {
    const worker = {
      worker: 'w',
      host: 'h',
      queues: ['q'],
      labels: ['l'],
      total: { cores: 2, memoryBytes: 5 },
      mode: 'open' as const,
      startedAt: at.now,
    };
    await at.store.registerWorker(worker);
    await enqueueOne(at.store);
    at.now += 10;
    await claimOne(at.store);
    expect(await at.store.workers()).toEqual([{ ...worker, running: 1, seenAt: at.now }]);
    await at.store.registerWorker({ ...worker, mode: 'draining' });
    await enqueueOne(at.store);
    expect(await at.ids()).toEqual([]);
    await at.store.removeWorker('w');
    expect(await at.store.workers()).toEqual([]);
    await at.store.putTenant({ tenant: 'a', weight: 0.5, maxRunning: 3 });
    expect(await at.store.tenants()).toMatchObject([
      { tenant: 'a', weight: 0.5, maxRunning: 3 },
      { tenant: 't', weight: 1 },
    ]);
  });

  it('delivers events in order, resuming after the last sequence of a listener', async () => {
    const aborted = new AbortController();
    const live: JobEvent[] = [];
    const done = Promise.withResolvers<void>();
    const listening = (async () => {
      for await (const event of at.store.events({ queue: 'q', after: 0 }, aborted.signal)) {
        live.push(event);
        if (event.state === 'succeeded') done.resolve();
      }
    })();
    await enqueueOne(at.store, { queue: 'other' });
    const id = await enqueueOne(at.store, { group: 'g' });
    const { token } = await claimOne(at.store);
    await at.store.progress(token, 0.5, 'half');
    await at.store.appendLog(token, 0, Buffer.from('x'));
    await at.store.finish(token, success());
    await done.promise;
    aborted.abort();
    await listening;
    expect(live.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      'state ready',
      'state running',
      'progress running',
      'log running',
      'state succeeded',
    ]);
    expect(live.map(({ sequence }) => sequence)).toEqual([2, 3, 4, 5, 6]);
    expect(live[2]).toMatchObject({
      job: id,
      group: 'g',
      tenant: 't',
      progress: { fraction: 0.5, message: 'half' },
    });
    const rest: number[] = [];
    const stop = new AbortController();
    for await (const { sequence } of at.store.events({ job: id, after: 4 }, stop.signal)) {
      rest.push(sequence);
      if (sequence === 6) stop.abort();
    }
    expect(rest).toEqual([5, 6]);
  });

  it('delivers what comes to a listener that continues from a sequence of another store', async () => {
    await enqueueOne(at.store);
    const stop = new AbortController();
    const events = at.store.events({ after: 999_999 }, stop.signal)[Symbol.asyncIterator]();
    const next = events.next();
    const id = await enqueueOne(at.store);
    expect(await next).toMatchObject({ value: { sequence: 2, job: id } });
    stop.abort();
    await events.return?.();
  });

  it('delivers the events of a large call, also from its middle', async () => {
    const jobs = await at.store.enqueue(Array.from({ length: 1200 }, () => job()));
    const received: JobEvent[] = [];
    const stop = new AbortController();
    for await (const event of at.store.events({ after: 700 }, stop.signal)) {
      received.push(event);
      if (event.sequence === 1200) stop.abort();
    }
    expect(received.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 500 }, (_, index) => 701 + index),
    );
    expect(received.map((event) => event.job)).toEqual(jobs.slice(700).map(({ id }) => id));
  });
});
