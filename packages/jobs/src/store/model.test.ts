/**
 * Random commands against both stores and against a simple model. Everything that a store does must
 * be allowed by the model, and after every command both must agree on every job.
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobStore } from '../contract.ts';
import { agree, JobModel, LEASE_MS } from './testing/job-model.ts';
import { BACKENDS, failure, job, offer, success, type Place } from './testing/fixtures.ts';

const RUNS = Number(process.env['SKEIN_MODEL_RUNS'] ?? 25);
interface Real {
  readonly store: JobStore;
}

const pick = <T>(from: readonly T[], index: number): T | undefined =>
  from[index % Math.max(1, from.length)];

type Command = fc.AsyncCommand<JobModel, Real>;
const command = (name: string, run: (model: JobModel, real: Real) => Promise<void>): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
    await agree(model, real.store);
  },
  toString: () => name,
});

const queues = ['q', 'r'];
const tenants = ['a', 'b', 'c'];
const small = fc.nat({ max: 50 });

const enqueue = fc
  .record({
    queue: fc.constantFrom(...queues),
    tenant: fc.constantFrom(...tenants),
    priority: fc.integer({ min: -2, max: 2 }),
    cores: fc.constantFrom(0.5, 1, 2),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    parents: fc.array(small, { maxLength: 2 }),
    delay: fc.option(fc.integer({ min: 1, max: 3000 })),
    deadline: fc.option(fc.integer({ min: 1, max: 9000 }), { freq: 4 }),
    retentionMs: fc.constantFrom(0, 2000, 1e9),
  })
  .map((given) =>
    command(`enqueue ${JSON.stringify(given)}`, async (model, { store }) => {
      const ids = [...model.jobs.keys()];
      const spec = job({
        queue: given.queue,
        tenant: given.tenant,
        priority: given.priority,
        resources: { cores: given.cores, memoryBytes: 1 },
        retry: { maxAttempts: given.maxAttempts, backoffMs: 0, maxBackoffMs: 0 },
        parents: [...new Set(given.parents.flatMap((index) => pick(ids, index) ?? []))],
        retentionMs: given.retentionMs,
        ...(given.delay === null ? {} : { notBefore: model.now + given.delay }),
        ...(given.deadline === null ? {} : { deadline: model.now + given.deadline }),
      });
      const draining = model.modes.get(given.queue) === 'draining';
      const made = await store.enqueue([spec]).catch((error: unknown) => error);
      if (draining) {
        assert.equal((made as { code?: string }).code, 'QUEUE_DRAINING');
        return;
      }
      const [accepted] = made as Awaited<ReturnType<JobStore['enqueue']>>;
      if (!accepted) throw new Error(String(made));
      model.enqueue(accepted.id, spec);
    }),
  );

const claim = fc
  .record({
    worker: fc.constantFrom('w1', 'w2'),
    queue: fc.constantFrom(...queues),
    cores: fc.constantFrom(1, 2, 8),
    max: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ worker, queue, cores, max }) =>
    command(`claim ${worker} ${queue} ${cores} ${max}`, async (model, { store }) => {
      const claims = await store.claim(
        offer({
          worker,
          queues: [queue],
          free: { cores, memoryBytes: 1e6 },
          max,
          leaseMs: LEASE_MS,
        }),
      );
      model.claim(worker, queue, cores, max, claims);
    }),
  );

const finish = fc
  .record({ which: small, how: fc.constantFrom('succeed', 'fail', 'give up', 'preempted') })
  .map(({ which, how }) =>
    command(`finish ${which} ${how}`, async (model, { store }) => {
      const token = pick(model.tokens, which);
      if (token === undefined) return;
      const each = model.byToken(token);
      const outcome =
        how === 'succeed'
          ? success()
          : failure({
              cause: how === 'preempted' ? 'preempted' : 'error',
              retryable: how !== 'give up',
            });
      const ended = await store.finish(token, outcome);
      assert.equal(ended === undefined, each === undefined);
      if (!each) return;
      if (outcome.kind === 'failed') model.fail(each, outcome.cause, outcome.retryable);
      else {
        model.end(each, 'succeeded');
        model.settle();
      }
    }),
  );

const renew = fc
  .record({ which: small, worker: fc.constantFrom('w1', 'w2') })
  .map(({ which, worker }) =>
    command(`renew ${which} ${worker}`, async (model, { store }) => {
      const token = pick(model.tokens, which);
      if (token === undefined) return;
      const each = model.byToken(token);
      const [lease] = await store.renew(worker, [token], LEASE_MS);
      const kept = each?.worker === worker;
      const cancelled = model.cancelled.get(token);
      const stopped = cancelled?.worker === worker && model.jobs.has(cancelled.id);
      assert.equal(lease?.state, kept ? 'kept' : stopped ? 'cancel' : 'lost');
      if (kept && each) each.leaseUntil = model.now + LEASE_MS;
    }),
  );

const appendLog = fc.record({ which: small, back: fc.nat({ max: 3 }) }).map(({ which, back }) =>
  command(`log ${which} ${back}`, async (model, { store }) => {
    const token = pick(model.tokens, which);
    if (token === undefined) return;
    const each = model.byToken(token);
    const offset = Math.max(0, (each?.log ?? 0) - back);
    const written = await store.appendLog(token, offset, Buffer.from('abcd'));
    assert.equal(written, each !== undefined);
    if (!each) return;
    each.log = Math.max(each.log, offset + 4);
    const attempts = (await store.job(each.id))?.attempts.length ?? 0;
    assert.equal((await store.log(each.id, attempts, 0, 0)).size, each.log);
  }),
);

const cancel = small.map((which) =>
  command(`cancel ${which}`, async (model, { store }) => {
    const each = pick([...model.jobs.values()], which);
    if (!each) return;
    await store.cancel(each.id, 'by hand');
    if (model.ended(each.state)) return;
    model.end(each, 'cancelled', 'cancelled');
    model.settle();
  }),
);

const pass = fc.constantFrom(1, 400, 1100, 2500, -700).map((ms) =>
  command(`pass ${ms} ms`, async (model, { store }) => {
    model.now += ms;
    // A clock that was set back shortens leases that would end later than a whole one from now.
    for (const each of model.jobs.values()) {
      if (each.state === 'running')
        each.leaseUntil = Math.min(each.leaseUntil, model.now + LEASE_MS);
    }
    await store.tick();
    model.tick();
  }),
);

const limit = fc
  .record({ tenant: fc.constantFrom(...tenants), maxRunning: fc.option(fc.nat({ max: 2 })) })
  .map(({ tenant, maxRunning }) =>
    command(`limit ${tenant} ${maxRunning}`, async (model, { store }) => {
      await store.putTenant({ tenant, weight: 1, ...(maxRunning === null ? {} : { maxRunning }) });
      if (maxRunning === null) model.limits.delete(tenant);
      else model.limits.set(tenant, maxRunning);
    }),
  );

const mode = fc
  .record({
    queue: fc.constantFrom(...queues),
    mode: fc.constantFrom('open', 'open', 'paused', 'draining'),
  })
  .map(({ queue, mode }) =>
    command(`mode ${queue} ${mode}`, async (model, { store }) => {
      await store.setQueueMode(queue, mode);
      model.modes.set(queue, mode);
    }),
  );

describe.each(BACKENDS)('a store of jobs in $name', ({ skip, ...backend }) => {
  let place: Place;
  let stores = 0;
  beforeAll(async () => {
    if (!skip) place = await backend.make();
  });
  afterAll(() => place?.destroy());

  it.skipIf(skip)('behaves like a list of jobs', { timeout: 240_000 }, async () => {
    const commands = fc.commands(
      [
        enqueue,
        enqueue,
        enqueue,
        claim,
        claim,
        finish,
        finish,
        renew,
        appendLog,
        cancel,
        pass,
        limit,
        mode,
      ],
      { size: 'medium', maxCommands: 60 },
    );
    const property = fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const model = new JobModel();
        stores += 1;
        const store = await place.open(`m${stores}`, () => model.now);
        try {
          await fc.asyncModelRun(() => ({ model, real: { store } }), sequence);
        } finally {
          await store.close();
        }
      }),
      { numRuns: RUNS },
    );
    await expect(property).resolves.toBeUndefined();
  });
});
