/** What every backend of `JobStore` promises. Another backend is one more row of `BACKENDS`. */
import type { ErrorCode } from '@skein/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobEvent, JobStore, LeaseNews } from '../contract.ts';
import { ASSEMBLY_MS, LOG_BYTES } from './bounds.ts';
import {
  BACKENDS,
  claimOne,
  enqueueOne,
  failure,
  job,
  offer,
  success,
  type Place,
} from './testing/fixtures.ts';

const code = (expected: ErrorCode) =>
  expect.objectContaining({ name: 'SkeinError', code: expected });
const START = Date.UTC(2026, 2, 1, 12);
const small = { cores: 1, memoryBytes: 2 ** 20 };

describe.each(BACKENDS)('a store of jobs in $name', ({ skip, ...backend }) => {
  let place: Place;
  let store: JobStore;
  let now = START;
  let stores = 0;

  beforeAll(async () => {
    if (!skip) place = await backend.make();
  });
  afterAll(() => place?.destroy());
  beforeEach(async (context) => {
    if (skip) return context.skip();
    now = START;
    stores += 1;
    store = await place.open(`s${stores}`, () => now);
  });
  afterEach(() => store?.close());

  const state = async (id: string) => (await store.job(id))?.state;
  const ids = async (more = {}) => (await store.claim(offer(more))).map((claim) => claim.job.id);
  const pass = async (ms: number) => {
    now += ms;
    return store.tick();
  };

  describe('one job', () => {
    it('goes from ready through running to succeeded, and keeps what it was given', async () => {
      const spec = job({ group: 'g', deadline: now + 1e6, requires: ['a', 'b'], priority: 1.5 });
      const [made] = await store.enqueue([spec]);
      expect(made).toMatchObject({
        ...spec,
        state: 'ready',
        enqueuedAt: now,
        readyAt: now,
        attempts: [],
      });
      now += 5;
      const claim = await claimOne(store, { labels: ['b', 'c', 'a'] });
      expect(claim).toMatchObject({
        attempt: 1,
        job: { id: made?.id, state: 'running', startedAt: now },
      });
      now += 7;
      const usage = { cpuMs: 3 };
      const ended = await store.finish(claim.token, { ...success({ x: ['ü'] }), usage });
      expect(ended).toMatchObject({
        ...spec,
        state: 'succeeded',
        endedAt: now,
        result: { value: { x: ['ü'] }, outputs: [] },
        attempts: [
          {
            number: 1,
            token: claim.token,
            worker: 'w',
            startedAt: now - 7,
            endedAt: now,
            outcome: 'succeeded',
            usage,
          },
        ],
      });
      expect(await store.job(made?.id ?? '')).toEqual(ended);
    });

    it('accepts one outcome per token', async () => {
      await enqueueOne(store);
      const { token } = await claimOne(store);
      expect(await store.finish(token, success(1))).toMatchObject({ state: 'succeeded' });
      expect(await store.finish(token, success(2))).toBeUndefined();
      expect(await store.finish(token, failure())).toBeUndefined();
      expect(await store.progress(token, 1, '')).toBe(false);
      expect(await store.appendLog(token, 0, Buffer.from('x'))).toBe(false);
      expect(await store.saveCheckpoint(token, 'ff')).toBe(false);
    });

    it('gives tokens that grow over the whole store, also after it was opened again', async () => {
      const tokens: number[] = [];
      for (const queue of ['a', 'b', 'a', 'c']) {
        await enqueueOne(store, { queue });
        tokens.push((await claimOne(store, { queues: [queue] })).token);
        await store.close();
        store = await place.open(`s${stores}`, () => now);
      }
      expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
      expect(new Set(tokens).size).toBe(4);
    });

    it('waits until notBefore', async () => {
      const id = await enqueueOne(store, { notBefore: now + 1000 });
      expect(await state(id)).toBe('blocked');
      expect(await store.tick()).toBe(now + 1000);
      await pass(999);
      expect(await ids()).toEqual([]);
      await pass(1);
      expect(await ids()).toEqual([id]);
    });

    it('fails at its deadline, wherever it is', async () => {
      const waiting = await enqueueOne(store, { deadline: now + 1000, queue: 'other' });
      const running = await enqueueOne(store, { deadline: now + 1000 });
      const { token } = await claimOne(store);
      await pass(1000);
      for (const id of [waiting, running]) {
        expect(await store.job(id)).toMatchObject({ state: 'failed', cause: 'deadline' });
      }
      expect(await store.finish(token, success())).toBeUndefined();
    });

    it('is forgotten when its retention is over', async () => {
      const id = await enqueueOne(store, { retentionMs: 1000, group: 'g', idempotencyKey: 'k' });
      const { token } = await claimOne(store);
      await store.appendLog(token, 0, Buffer.from('x'));
      await store.finish(token, success());
      await pass(999);
      expect(await state(id)).toBe('succeeded');
      await pass(1);
      expect(await store.job(id)).toBeUndefined();
      expect((await store.jobs({ limit: 10 })).jobs).toEqual([]);
      expect((await store.jobs({ limit: 10, group: 'g' })).jobs).toEqual([]);
      expect((await store.queues())[0]?.counts.succeeded).toBe(0);
      expect(await enqueueOne(store, { idempotencyKey: 'k' })).not.toBe(id);
    });
  });

  describe('accepting', () => {
    it('returns the job that exists for an idempotency key of the same tenant and queue', async () => {
      const key = { idempotencyKey: 'once' };
      const [first, second] = await store.enqueue([job(key), job(key)]);
      expect(second?.id).toBe(first?.id);
      const others = [
        await enqueueOne(store, key),
        await enqueueOne(store, { ...key, queue: 'q2' }),
        await enqueueOne(store, { ...key, tenant: 't2' }),
      ];
      expect(others[0]).toBe(first?.id);
      expect(new Set(others).size).toBe(3);
    });

    it('takes all jobs of a call or none', async () => {
      await expect(store.enqueue([job(), job({ parents: ['nobody'] })])).rejects.toEqual(
        code('PARENT_UNKNOWN'),
      );
      await expect(
        store.enqueue([job(), job({ retry: { maxAttempts: 0, backoffMs: 0, maxBackoffMs: 0 } })]),
      ).rejects.toEqual(code('REQUEST_INVALID'));
      const circle = [job({ id: 'a', parents: ['b'] }), job({ id: 'b', parents: ['a'] })];
      await expect(store.enqueue([job(), ...circle])).rejects.toEqual(code('REQUEST_INVALID'));
      expect((await store.jobs({ limit: 10 })).jobs).toEqual([]);
      expect(await ids()).toEqual([]);
    });

    it('takes an id that is new and refuses one that is not', async () => {
      expect(await enqueueOne(store, { id: 'mine' })).toBe('mine');
      await expect(enqueueOne(store, { id: 'mine' })).rejects.toEqual(code('REQUEST_INVALID'));
      await expect(store.enqueue([job({ id: 'two' }), job({ id: 'two' })])).rejects.toEqual(
        code('REQUEST_INVALID'),
      );
    });

    it('refuses a label with a comma, which no worker could offer', async () => {
      await expect(enqueueOne(store, { requires: ['gpu', 'a,b'] })).rejects.toThrow(/"a,b"/);
    });

    it('holds a tenant to what it may have queued, and counts what waits for anything', async () => {
      await store.putTenant({ tenant: 't', weight: 1, maxQueued: 2 });
      await enqueueOne(store, { notBefore: now + 1e6 });
      await enqueueOne(store);
      await expect(enqueueOne(store)).rejects.toEqual(code('TENANT_QUOTA'));
      await enqueueOne(store, { tenant: 'other', queue: 'other' });
      await claimOne(store);
      await enqueueOne(store);
      await expect(enqueueOne(store)).rejects.toEqual(code('TENANT_QUOTA'));
    });

    it('holds a tenant to its jobs per second and says when to come back', async () => {
      await store.putTenant({ tenant: 't', weight: 1, jobsPerSecond: 2 });
      await store.enqueue([job(), job()]);
      const refused = await enqueueOne(store).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 500 });
      now += 499;
      await expect(enqueueOne(store)).rejects.toEqual(code('RATE_LIMITED'));
      now += 1;
      await enqueueOne(store);
    });

    it('refuses for a draining queue, and starts what waits in it', async () => {
      const id = await enqueueOne(store);
      await store.setQueueMode('q', 'draining');
      await expect(enqueueOne(store)).rejects.toEqual(code('QUEUE_DRAINING'));
      expect(await ids()).toEqual([id]);
      await store.setQueueMode('q', 'open');
      await enqueueOne(store);
    });

    it('starts nothing of a paused queue, and accepts for it', async () => {
      await store.setQueueMode('q', 'paused');
      const id = await enqueueOne(store);
      expect(await ids()).toEqual([]);
      await store.setQueueMode('q', 'open');
      expect(await ids()).toEqual([id]);
    });
  });

  describe('retries', () => {
    it('tries again as often as it may, then the job is dead with its cause', async () => {
      const id = await enqueueOne(store, {
        retry: { maxAttempts: 2, backoffMs: 0, maxBackoffMs: 0 },
      });
      let { token } = await claimOne(store);
      expect(
        await store.finish(token, failure({ cause: 'out-of-memory', message: 'too big' })),
      ).toMatchObject({
        state: 'ready',
        cause: 'out-of-memory',
        message: 'too big',
      });
      ({ token } = await claimOne(store));
      await store.finish(token, failure({ cause: 'signal', message: 'SIGSEGV' }));
      expect(await store.job(id)).toMatchObject({
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
        const id = await enqueueOne(store, {
          retry: { maxAttempts: 9, backoffMs: 1000, maxBackoffMs: 3000 },
        });
        for (const bound of [1000, 2000, 3000]) {
          const { token } = await claimOne(store);
          const failed = await store.finish(token, failure());
          if (failed?.state === 'blocked') {
            const due = await store.tick();
            expect(due - now).toBeLessThan(bound);
            if (bound === 3000) waits.push(due - now);
            await pass(due - now);
          }
          expect(await state(id)).toBe('ready');
        }
        await store.cancel(id, 'enough');
      }
      expect(Math.max(...waits)).toBeGreaterThan(2000);
      expect(Math.min(...waits)).toBeLessThan(1000);
    });

    it('does not retry what is not retryable', async () => {
      const id = await enqueueOne(store);
      const { token } = await claimOne(store);
      await store.finish(token, failure({ cause: 'refused', retryable: false }));
      expect(await store.job(id)).toMatchObject({ state: 'failed', cause: 'refused' });
    });

    it('loses a lease that is not renewed, and fences its holder off', async () => {
      const id = await enqueueOne(store);
      const { token } = await claimOne(store, { leaseMs: 1000 });
      await pass(900);
      expect(await store.renew('w', [token], 1000)).toEqual([{ token, state: 'kept' }]);
      await pass(999);
      expect(await state(id)).toBe('running');
      await pass(1);
      expect(await store.job(id)).toMatchObject({
        state: 'ready',
        attempts: [{ outcome: 'lease-lost' }],
      });
      expect(await store.renew('w', [token], 1000)).toEqual([{ token, state: 'lost' }]);
      expect(await store.finish(token, success())).toBeUndefined();
      const second = await claimOne(store, { worker: 'w2' });
      expect(second.token).toBeGreaterThan(token);
      expect(await store.renew('w', [second.token], 1000)).toEqual([
        { token: second.token, state: 'lost' },
      ]);
      expect(await store.appendLog(token, 0, Buffer.from('late'))).toBe(false);
      expect(await store.finish(second.token, success())).toMatchObject({ state: 'succeeded' });
    });

    it('does not prolong leases when the clock is set back', async () => {
      const id = await enqueueOne(store);
      await claimOne(store, { leaseMs: 1000 });
      await pass(-3_600_000);
      await pass(1000);
      expect(await state(id)).toBe('ready');
    });

    it('brings a dead job back with fresh attempts and the children that it failed', async () => {
      const retry = { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 };
      await store.enqueue([
        job({ id: 'parent', retry }),
        job({ id: 'child', parents: ['parent'] }),
        job({ id: 'grandchild', parents: ['child'] }),
      ]);
      const { token } = await claimOne(store);
      await store.finish(token, failure());
      expect(await state('grandchild')).toBe('failed');
      expect(await store.revive('child')).toMatchObject({ state: 'failed' });
      expect(await store.revive('parent')).toMatchObject({ state: 'ready' });
      for (const id of ['parent', 'child', 'grandchild']) {
        const claim = await claimOne(store);
        expect(claim.job.id).toBe(id);
        await store.finish(claim.token, success());
      }
      expect(await state('grandchild')).toBe('succeeded');
      expect(await store.revive('parent')).toMatchObject({ state: 'succeeded' });
      expect(await store.revive('nobody')).toBeUndefined();
    });
  });

  describe('graphs', () => {
    it('starts a child when all of its parents have succeeded, in any order of enqueueing', async () => {
      const [child, a, b] = await store.enqueue([
        job({ parents: ['a', 'b', 'a'] }),
        job({ id: 'a' }),
        job({ id: 'b' }),
      ]);
      expect(child?.state).toBe('blocked');
      const claims = await store.claim(offer());
      expect(claims.map((claim) => claim.job.id)).toEqual([a?.id, b?.id]);
      await store.finish(claims[0]?.token ?? 0, success());
      expect(await ids()).toEqual([]);
      await store.finish(claims[1]?.token ?? 0, success());
      expect(await ids()).toEqual([child?.id]);
      expect(await store.enqueue([job({ parents: ['a'] })])).toMatchObject([{ state: 'ready' }]);
    });

    it('fails the children of what did not succeed, transitively and also later', async () => {
      await store.enqueue([
        job({ id: 'a' }),
        job({ id: 'b', parents: ['a'] }),
        job({ id: 'c', parents: ['b'] }),
      ]);
      await store.cancel('a', 'no longer wanted');
      for (const id of ['b', 'c']) {
        expect(await store.job(id)).toMatchObject({ state: 'failed', cause: 'parent-failed' });
      }
      const late = await enqueueOne(store, { parents: ['c'] });
      expect(await store.job(late)).toMatchObject({ state: 'failed', cause: 'parent-failed' });
    });

    it('fails a chain of thousands without running out of stack', async () => {
      const chain = Array.from({ length: 3000 }, (_, index) =>
        job({ id: `n${index}`, parents: index === 0 ? [] : [`n${index - 1}`] }),
      );
      await store.enqueue(chain);
      await store.cancel('n0', 'all of it');
      expect(await state('n2999')).toBe('failed');
    });

    it('lets a repeated spec stand for the job that exists, also as a parent', async () => {
      const step = job({ id: 'first', idempotencyKey: 'step' });
      await store.enqueue([step]);
      const [same, child] = await store.enqueue([
        { ...step, id: 'again' },
        job({ parents: ['again'] }),
      ]);
      expect(same?.id).toBe('first');
      expect(child).toMatchObject({ state: 'blocked', parents: ['first'] });
      const { token } = await claimOne(store);
      await store.finish(token, success());
      expect(await state(child?.id ?? '')).toBe('ready');
    });
  });

  describe('interventions', () => {
    it('cancels what waits and what runs, and tells the worker at once', async () => {
      const waiting = await enqueueOne(store, { notBefore: now + 1e6 });
      const running = await enqueueOne(store);
      const { token } = await claimOne(store);
      const told = Promise.withResolvers<LeaseNews>();
      const stop = await store.onNews('w', told.resolve);
      for (const id of [waiting, running]) {
        expect(await store.cancel(id, 'by hand')).toMatchObject({
          state: 'cancelled',
          cause: 'cancelled',
          message: 'by hand',
        });
      }
      expect(await told.promise).toEqual({ token, state: 'cancel' });
      // Whoever missed the news hears it with the next renewal, and nobody else does.
      expect(await store.renew('w', [token], 1000)).toEqual([{ token, state: 'cancel' }]);
      expect(await store.renew('other', [token], 1000)).toEqual([{ token, state: 'lost' }]);
      expect(await store.finish(token, success())).toBeUndefined();
      expect(await store.cancel(running, 'twice')).toMatchObject({ message: 'by hand' });
      expect(await store.cancel('nobody', '')).toBeUndefined();
      await stop();
    });

    it('preempts without charging an attempt, and keeps the checkpoint', async () => {
      const id = await enqueueOne(store, {
        retry: { maxAttempts: 1, backoffMs: 9e6, maxBackoffMs: 9e6 },
      });
      const { token } = await claimOne(store);
      const told = Promise.withResolvers<LeaseNews>();
      const stop = await store.onNews('w', told.resolve);
      expect(await store.preempt(id)).toMatchObject({ state: 'running' });
      expect(await told.promise).toEqual({ token, state: 'preempt' });
      expect(await store.renew('w', [token], 1000)).toEqual([{ token, state: 'preempt' }]);
      expect(await store.saveCheckpoint(token, 'c0ffee')).toBe(true);
      expect(await store.finish(token, failure({ cause: 'preempted' }))).toMatchObject({
        state: 'ready',
        checkpoint: 'c0ffee',
      });
      const again = await claimOne(store);
      expect(again.job.checkpoint).toBe('c0ffee');
      expect(await store.finish(again.token, success())).toMatchObject({ state: 'succeeded' });
      await stop();
    });
  });

  describe('whose turn it is', () => {
    it('runs what is more urgent first, and lets waiting count', async () => {
      const patient = await enqueueOne(store);
      const urgent = await enqueueOne(store, { priority: 1 });
      now += 30_000;
      const late = await enqueueOne(store, { priority: 2 });
      const first = await enqueueOne(store, { priority: 3 });
      expect(await ids()).toEqual([first, urgent, late, patient]);
    });

    it('keeps the order of enqueueing among equals', async () => {
      const made = await store.enqueue(Array.from({ length: 20 }, () => job()));
      expect(await ids()).toEqual(made.map((each) => each.id));
    });

    it('shares between tenants by weight when one place is given away at a time', async () => {
      await store.putTenant({ tenant: 'a', weight: 3 });
      await store.putTenant({ tenant: 'b', weight: 1 });
      for (const tenant of ['a', 'b']) {
        await store.enqueue(Array.from({ length: 40 }, () => job({ tenant })));
      }
      let of = 0;
      for (let turn = 0; turn < 40; turn += 1) {
        const claim = await claimOne(store);
        if (claim.job.tenant === 'a') of += 1;
        await store.finish(claim.token, success());
      }
      expect(of).toBe(30);
    });

    it('shares by the dominant resource of what runs', async () => {
      await store.registerWorker({
        worker: 'w',
        host: 'h',
        queues: ['q'],
        labels: [],
        total: { cores: 10, memoryBytes: 1000 },
        mode: 'open',
        startedAt: now,
      });
      await store.enqueue(
        Array.from({ length: 20 }, () =>
          job({ tenant: 'cpu', resources: { cores: 1, memoryBytes: 10 } }),
        ),
      );
      await store.enqueue(
        Array.from({ length: 20 }, () =>
          job({ tenant: 'ram', resources: { cores: 0.1, memoryBytes: 200 } }),
        ),
      );
      const claims = await store.claim(offer({ free: { cores: 10, memoryBytes: 1000 } }));
      const by = Map.groupBy(claims, (claim) => claim.job.tenant);
      // 20 % of the memory weighs as much as two cores of ten.
      expect(by.get('ram')?.length).toBe(4);
      expect(by.get('cpu')?.length).toBe(9);
    });

    it('does not let a tenant that was away save up turns', async () => {
      await store.enqueue(Array.from({ length: 40 }, () => job({ tenant: 'a' })));
      for (let turn = 0; turn < 20; turn += 1) {
        await store.finish((await claimOne(store)).token, success());
      }
      await store.enqueue(Array.from({ length: 40 }, () => job({ tenant: 'b' })));
      let ofB = 0;
      for (let turn = 0; turn < 10; turn += 1) {
        const claim = await claimOne(store);
        if (claim.job.tenant === 'b') ofB += 1;
        await store.finish(claim.token, success());
      }
      expect(ofB).toBeGreaterThanOrEqual(5);
      expect(ofB).toBeLessThanOrEqual(6);
    });

    it('holds a tenant to what it may run', async () => {
      await store.putTenant({ tenant: 't', weight: 1, maxRunning: 2 });
      await store.enqueue([job(), job(), job()]);
      const claims = await store.claim(offer());
      expect(claims).toHaveLength(2);
      expect(await ids()).toEqual([]);
      await store.finish(claims[0]?.token ?? 0, success());
      expect(await ids()).toHaveLength(1);
    });

    it('passes over what does not fit, in the same lane and in others', async () => {
      const memoryBytes = 2 ** 30;
      await enqueueOne(store, { resources: { cores: 8, memoryBytes } });
      await enqueueOne(store, { requires: ['gpu'] });
      await enqueueOne(store, { resources: { cores: 1, memoryBytes: memoryBytes + 1 } });
      const fits = await enqueueOne(store, { resources: { cores: 1, memoryBytes } });
      await enqueueOne(store, { resources: { cores: 1.5, memoryBytes } });
      expect(await ids({ free: { cores: 2, memoryBytes } })).toEqual([fits]);
    });

    it('starts only what fits beside the rest of the offer', async () => {
      await store.enqueue(
        Array.from({ length: 5 }, () => job({ resources: { cores: 0.7, memoryBytes: 1 } })),
      );
      expect(await ids({ free: { cores: 2.1, memoryBytes: 10 } })).toHaveLength(3);
      expect(await ids({ max: 1 })).toHaveLength(1);
    });
  });

  describe('gangs', () => {
    const members = (id: string, size: number, more = {}) =>
      Array.from({ length: size }, (_, rank) => job({ gang: { id, size, rank }, ...more }));
    const one = { free: { cores: 1, memoryBytes: 2 ** 30 }, max: 1 };
    const address = { host: 'rank0.example', port: 29500 };

    it('starts when all members have a place, and tells where rank 0 is', async () => {
      await store.enqueue(members('g', 2));
      expect(await store.claim(offer({ ...one, worker: 'w1', address }))).toEqual([]);
      expect(await store.claim(offer({ ...one, worker: 'w1', address }))).toEqual([]);
      const second = await store.claim(offer({ ...one, worker: 'w2' }));
      expect(second).toMatchObject([{ job: { gang: { rank: 1 } }, master: address }]);
      const first = await store.claim(offer({ ...one, worker: 'w1', address }));
      expect(first).toMatchObject([{ job: { gang: { rank: 0 } }, master: address }]);
      expect(await store.finish(first[0]?.token ?? 0, success())).toMatchObject({
        state: 'running',
      });
      expect(await store.finish(second[0]?.token ?? 0, success())).toMatchObject({
        state: 'succeeded',
      });
      expect(await state(first[0]?.job.id ?? '')).toBe('succeeded');
    });

    it('waits until all of it has been enqueued and is ready', async () => {
      const [a, b] = members('g', 2);
      await store.enqueue(a ? [a] : []);
      expect(await ids()).toEqual([]);
      await store.enqueue(b ? [{ ...b, notBefore: now + 10 }] : []);
      expect(await ids()).toEqual([]);
      await pass(10);
      expect(await ids()).toHaveLength(2);
    });

    it('never deadlocks two gangs', async () => {
      await store.enqueue(members('g1', 2));
      await store.enqueue(members('g2', 2));
      const started: string[] = [];
      for (let turn = 0; turn < 4; turn += 1) {
        for (const worker of ['w1', 'w2']) {
          for (const claim of await store.claim(offer({ ...one, worker }))) {
            started.push(claim.job.gang?.id ?? '');
            // Its partner may still wait to be fetched; both end in the next turn.
          }
        }
        if (turn === 1) {
          const { jobs } = await store.jobs({ state: 'running', queue: 'q', limit: 10 });
          for (const each of jobs) await store.finish(each.attempts.at(-1)?.token ?? 0, success());
        }
      }
      expect(started).toEqual(['g1', 'g1', 'g2', 'g2']);
    });

    it('gives its places back when it cannot be placed in time, and others have their turn', async () => {
      await store.enqueue(members('huge', 3));
      const single = await enqueueOne(store, { priority: -100 });
      expect(await ids({ ...one, worker: 'w1' })).toEqual([]);
      expect(await ids({ ...one, worker: 'w1' })).toEqual([]);
      await pass(ASSEMBLY_MS);
      expect(await ids({ ...one, worker: 'w1' })).toEqual([single]);
    });

    it('is broken by a lost member, and all are tried again together', async () => {
      await store.enqueue(members('g', 3));
      const claims = await store.claim(offer());
      expect(claims).toHaveLength(3);
      const [a, b, c] = claims.map((claim) => claim.token);
      await store.finish(a ?? 0, success());
      const told: LeaseNews[] = [];
      const stop = await store.onNews('w', (news) => told.push(news));
      await store.finish(b ?? 0, failure());
      expect(await store.finish(c ?? 0, success())).toBeUndefined();
      const again = await store.claim(offer());
      expect(again.map((claim) => claim.job.gang?.rank)).toEqual([0, 1, 2]);
      expect(again.map((claim) => claim.job.attempts[0]?.outcome)).toEqual([
        'succeeded',
        'error',
        'gang-broken',
      ]);
      for (const { token } of again) await store.finish(token, success());
      expect((await store.queues())[0]?.counts).toMatchObject({
        succeeded: 3,
        running: 0,
        ready: 0,
      });
      await stop();
    });

    it('ends as a whole when a member cannot go on', async () => {
      const made = await store.enqueue(members('g', 2));
      const [claim] = await store.claim(offer());
      await store.finish(claim?.token ?? 0, failure({ retryable: false }));
      expect(await state(made[0]?.id ?? '')).toBe('failed');
      expect(await store.job(made[1]?.id ?? '')).toMatchObject({
        state: 'failed',
        cause: 'gang-broken',
      });
      await store.revive(made[0]?.id ?? '');
      expect(await ids()).toHaveLength(2);
    });

    it('counts a whole gang against what its tenant may run', async () => {
      await store.putTenant({ tenant: 't', weight: 1, maxRunning: 1 });
      await store.enqueue(members('g', 2));
      const single = await enqueueOne(store);
      expect(await ids()).toEqual([single]);
    });
  });

  describe('what an attempt writes', () => {
    it('keeps the log by offset: once, in order, within its bound', async () => {
      const id = await enqueueOne(store);
      const { token } = await claimOne(store);
      expect(await store.appendLog(token, 0, Buffer.from('äb'))).toBe(true);
      expect(await store.appendLog(token, 0, Buffer.from('äb'))).toBe(true);
      expect(await store.appendLog(token, 2, Buffer.from([98, 0, 255]))).toBe(true);
      await expect(store.appendLog(token, 9, Buffer.from('x'))).rejects.toEqual(
        code('REQUEST_INVALID'),
      );
      const whole = await store.log(id, 1, 0, 100);
      expect({ ...whole, chunk: [...whole.chunk] }).toEqual({
        chunk: [195, 164, 98, 0, 255],
        size: 5,
        ended: false,
      });
      expect([...(await store.log(id, 1, 1, 3)).chunk]).toEqual([164, 98, 0]);
      expect((await store.log(id, 1, 5, 10)).chunk).toHaveLength(0);
      const chunk = new Uint8Array(2 ** 20).fill(7);
      for (let offset = 5; offset < LOG_BYTES + 2 ** 21; offset += chunk.length) {
        expect(await store.appendLog(token, offset, chunk)).toBe(true);
      }
      await store.finish(token, success());
      const { size, ended } = await store.log(id, 1, 0, 0);
      expect({ size, ended }).toEqual({ size: LOG_BYTES, ended: true });
    });

    it('shows progress', async () => {
      const id = await enqueueOne(store);
      const { token } = await claimOne(store);
      expect(await store.progress(token, 1.5, 'more than all')).toBe(true);
      expect((await store.job(id))?.progress).toEqual({ fraction: 1, message: 'more than all' });
    });
  });

  describe('the step cache', () => {
    const step = { cacheKey: 'k'.repeat(64) };

    it('takes a kept success instead of running, in the same tenant', async () => {
      const first = await enqueueOne(store, step);
      const twin = await enqueueOne(store, step);
      await enqueueOne(store, { ...step, tenant: 'other', queue: 'other' });
      const { token } = await claimOne(store);
      await store.finish(token, success(42));
      expect(await ids()).toEqual([]);
      for (const id of [twin, await enqueueOne(store, step)]) {
        expect(await store.job(id)).toMatchObject({
          state: 'succeeded',
          result: { value: 42 },
          attempts: [],
        });
      }
      expect((await store.job(twin))?.cachedFrom).toBe(first);
      expect(await ids({ queues: ['other'] })).toHaveLength(1);
    });

    it('carries children on, and runs again when the success is forgotten', async () => {
      await enqueueOne(store, { ...step, retentionMs: 1000 });
      await store.finish((await claimOne(store)).token, success());
      const [, child] = await store.enqueue([
        job({ ...step, id: 'cached', retentionMs: 1000 }),
        job({ parents: ['cached'] }),
      ]);
      expect(child?.state).toBe('ready');
      await pass(1000);
      expect(await state(await enqueueOne(store, step))).toBe('ready');
    });
  });

  describe('schedules', () => {
    const schedule = {
      id: 'nightly',
      cron: '30 2 * * *',
      timeZone: 'Europe/Berlin',
      spec: job({ name: 'nightly' }),
      paused: false,
    };

    it('fires at the local time, once, also across the change to summer time', async () => {
      const { nextAt } = await store.putSchedule(schedule);
      expect(new Date(nextAt).toISOString()).toBe('2026-03-02T01:30:00.000Z');
      const other = await place.open(`s${stores}`, () => now);
      now = nextAt - 1;
      await Promise.all([store.tick(), other.tick()]);
      expect(await ids()).toEqual([]);
      now = nextAt;
      await Promise.all([store.tick(), other.tick(), store.tick(), other.tick()]);
      expect(await ids({ leaseMs: 1e10 })).toHaveLength(1);
      now = Date.UTC(2026, 2, 30, 12);
      await store.tick();
      expect(await ids()).toHaveLength(1);
      expect(new Date((await store.schedules())[0]?.nextAt ?? 0).toISOString()).toBe(
        '2026-03-31T00:30:00.000Z',
      );
      await other.close();
    });

    it('does not fire while paused, or once removed', async () => {
      await store.putSchedule({ ...schedule, paused: true });
      await pass(3 * 86_400_000);
      expect(await store.schedules()).toMatchObject([{ id: 'nightly', paused: true }]);
      expect(await store.removeSchedule('nightly')).toBe(true);
      expect(await store.removeSchedule('nightly')).toBe(false);
      await pass(86_400_000);
      expect(await ids()).toEqual([]);
    });

    it('refuses what is not a schedule', async () => {
      for (const wrong of [
        { cron: 'often' },
        { timeZone: 'Mars/Olympus' },
        { cron: '0 0 30 2 *' },
      ]) {
        await expect(store.putSchedule({ ...schedule, ...wrong })).rejects.toEqual(
          code('REQUEST_INVALID'),
        );
      }
    });

    it('goes on when an occurrence is refused', async () => {
      await store.putSchedule({ ...schedule, cron: '* * * * *' });
      await store.setQueueMode('q', 'draining');
      await pass(60_000);
      await store.setQueueMode('q', 'open');
      await pass(60_000);
      expect(await ids()).toHaveLength(1);
    });
  });

  describe('what people see', () => {
    it('lists jobs newest first, by page and filter', async () => {
      const made = await store.enqueue(
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
        const page = await store.jobs({ limit: 10, after });
        seen.push(...page.jobs.map((each) => each.id));
        after = page.next;
        if (after === undefined) break;
      }
      expect(seen).toEqual(all);
      const only = async (filter: object) =>
        (await store.jobs({ limit: 100, ...filter })).jobs.length;
      expect(await only({ tenant: 'odd' })).toBe(12);
      expect(await only({ queue: 'q3' })).toBe(9);
      expect(await only({ group: 'g' })).toBe(5);
      expect(await only({ queue: 'q3', tenant: 'odd', state: 'ready', group: 'g' })).toBe(1);
      expect(await only({ state: 'running' })).toBe(0);
      await expect(store.jobs({ limit: 1, after: 'x' })).rejects.toEqual(code('REQUEST_INVALID'));
    });

    it('counts queues', async () => {
      await store.enqueue([job(), job(), job({ notBefore: now + 1e6 })]);
      now += 10;
      await enqueueOne(store);
      const { token } = await claimOne(store);
      await store.finish(token, success());
      await claimOne(store);
      expect(await store.queues()).toEqual([
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
          oldestReadyAt: now,
        },
      ]);
    });

    it('knows its workers and tenants', async () => {
      const worker = {
        worker: 'w',
        host: 'h',
        queues: ['q'],
        labels: ['l'],
        total: { cores: 2, memoryBytes: 5 },
        mode: 'open' as const,
        startedAt: now,
      };
      await store.registerWorker(worker);
      await enqueueOne(store);
      now += 10;
      await claimOne(store);
      expect(await store.workers()).toEqual([{ ...worker, running: 1, seenAt: now }]);
      await store.registerWorker({ ...worker, mode: 'draining' });
      await enqueueOne(store);
      expect(await ids()).toEqual([]);
      await store.removeWorker('w');
      expect(await store.workers()).toEqual([]);
      await store.putTenant({ tenant: 'a', weight: 0.5, maxRunning: 3 });
      expect(await store.tenants()).toMatchObject([
        { tenant: 'a', weight: 0.5, maxRunning: 3 },
        { tenant: 't', weight: 1 },
      ]);
    });

    it('tells events in order, from where a listener left off', async () => {
      const aborted = new AbortController();
      const live: JobEvent[] = [];
      const done = Promise.withResolvers<void>();
      const listening = (async () => {
        for await (const event of store.events({ queue: 'q', after: 0 }, aborted.signal)) {
          live.push(event);
          if (event.state === 'succeeded') done.resolve();
        }
      })();
      await enqueueOne(store, { queue: 'other' });
      const id = await enqueueOne(store, { group: 'g' });
      const { token } = await claimOne(store);
      await store.progress(token, 0.5, 'half');
      await store.appendLog(token, 0, Buffer.from('x'));
      await store.finish(token, success());
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
      for await (const { sequence } of store.events({ job: id, after: 4 }, stop.signal)) {
        rest.push(sequence);
        if (sequence === 6) stop.abort();
      }
      expect(rest).toEqual([5, 6]);
    });

    it('tells the events of a large call, also from the middle of it', async () => {
      const jobs = await store.enqueue(Array.from({ length: 1200 }, () => job()));
      const heard: JobEvent[] = [];
      const stop = new AbortController();
      for await (const event of store.events({ after: 700 }, stop.signal)) {
        heard.push(event);
        if (event.sequence === 1200) stop.abort();
      }
      expect(heard.map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: 500 }, (_, index) => 701 + index),
      );
      expect(heard.map((event) => event.job)).toEqual(jobs.slice(700).map(({ id }) => id));
    });
  });

  describe('waiting for work', () => {
    const never = new AbortController().signal;

    it('ends when work comes, also between the claim and the wait', async () => {
      expect(await ids()).toEqual([]);
      const waiting = store.waitForWork(['q'], 60_000, never, 'w');
      await enqueueOne(store);
      await waiting;
      await claimOne(store);
      expect(await ids()).toEqual([]);
      await enqueueOne(store, { notBefore: now + 5 });
      await pass(5);
      await store.waitForWork(['q'], 60_000, never, 'w');
    });

    it('ends when it is aborted, or after its time', async () => {
      expect(await ids()).toEqual([]);
      await store.waitForWork(['q'], 1, never, 'w');
      const abort = new AbortController();
      const waiting = store.waitForWork(['q'], 60_000, abort.signal, 'w');
      abort.abort();
      await waiting;
    });
  });

  it('wakes a second store on the same data', async (context) => {
    if (!place.shared) return context.skip();
    const other = await place.open(`s${stores}`, () => now);
    await other.claim(offer());
    const waiting = other.waitForWork(['q'], 60_000, new AbortController().signal, 'w');
    const id = await enqueueOne(store);
    await waiting;
    const { token } = await claimOne(other);
    const told = Promise.withResolvers<LeaseNews>();
    await other.onNews('w', told.resolve);
    await store.cancel(id, '');
    expect(await told.promise).toEqual({ token, state: 'cancel' });
    await other.close();
  });

  it('does not look at 100 jobs of somebody else to find one', async () => {
    await store.enqueue(
      Array.from({ length: 500 }, () => job({ tenant: 'flood', requires: ['gpu'] })),
    );
    const mine = await enqueueOne(store, { tenant: 'me', resources: small });
    expect(await ids()).toEqual([mine]);
  });
});
