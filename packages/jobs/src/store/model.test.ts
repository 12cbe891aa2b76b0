/**
 * Random commands against both stores and against a simple model that is obviously right: a list of
 * jobs with their states, searched from the beginning each time. Everything that a store does must
 * be allowed by the model, and after every command both must agree on every job.
 *
 * Which of several jobs a claim takes is the store's to choose, so the model checks the choice
 * instead of making it: only ready jobs, nothing over a limit, nothing better passed over within a
 * tenant, and no place left empty for which something was ready.
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Claim, JobSpec, JobState, JobStore } from '../contract.ts';
import { laneRank } from './lane.ts';
import { BACKENDS, failure, job, offer, success, type Place } from './testing/fixtures.ts';

const RUNS = Number(process.env['SKEIN_MODEL_RUNS'] ?? 25);
const START = Date.UTC(2026, 0, 1);
const LEASE_MS = 1000;

interface ModelJob {
  readonly id: string;
  readonly spec: JobSpec;
  readonly number: number;
  state: JobState;
  waitUntil: number;
  readyAt: number;
  failures: number;
  token: number | undefined;
  leaseUntil: number;
  worker: string;
  log: number;
  endedAt: number;
  cause: string | undefined;
}

/** The interface of a backend under test. */
class Model {
  now = START;
  readonly jobs = new Map<string, ModelJob>();
  readonly tokens: number[] = [];
  /** Tokens of attempts that were ended from outside, with the worker that held them. */
  readonly cancelled = new Map<number, { id: string; worker: string }>();
  readonly limits = new Map<string, number>();
  readonly modes = new Map<string, string>();
  made = 0;

  byToken(token: number): ModelJob | undefined {
    return [...this.jobs.values()].find((each) => each.token === token && each.state === 'running');
  }

  ended(state: JobState): boolean {
    return ['succeeded', 'failed', 'cancelled', 'dead'].includes(state);
  }

  enqueue(id: string, spec: JobSpec): void {
    this.made += 1;
    const entry: ModelJob = {
      id,
      spec,
      number: this.made,
      state: 'blocked',
      waitUntil: spec.notBefore ?? 0,
      readyAt: 0,
      failures: 0,
      token: undefined,
      leaseUntil: 0,
      worker: '',
      log: 0,
      endedAt: 0,
      cause: undefined,
    };
    this.jobs.set(id, entry);
    this.settle();
  }

  /** Applies all consequences, until nothing changes. */
  settle(): void {
    // A time that has passed stays passed, even if the clock is set back afterwards.
    for (const each of this.jobs.values()) if (each.waitUntil <= this.now) each.waitUntil = 0;
    for (let changed = true; changed;) {
      changed = false;
      for (const each of this.jobs.values()) {
        if (each.state !== 'blocked') continue;
        const parents = each.spec.parents.map((parent) => this.jobs.get(parent));
        if (
          parents.some(
            (parent) => parent && this.ended(parent.state) && parent.state !== 'succeeded',
          )
        ) {
          this.end(each, 'failed', 'parent-failed');
          changed = true;
        } else if (
          each.waitUntil <= this.now &&
          parents.every((parent) => !parent || parent.state === 'succeeded')
        ) {
          each.state = 'ready';
          each.readyAt = this.now;
          changed = true;
        }
      }
    }
  }

  end(each: ModelJob, state: JobState, cause?: string): void {
    if (each.token !== undefined && (cause === 'cancelled' || cause === 'deadline')) {
      this.cancelled.set(each.token, { id: each.id, worker: each.worker });
    }
    each.state = state;
    each.cause = cause;
    each.token = undefined;
    each.endedAt = this.now;
  }

  fail(each: ModelJob, cause: string, retryable: boolean): void {
    each.token = undefined;
    if (cause !== 'preempted') each.failures += 1;
    if (!retryable) this.end(each, 'failed', cause);
    else if (each.failures >= each.spec.retry.maxAttempts) this.end(each, 'dead', cause);
    else {
      each.state = 'blocked';
      each.cause = cause;
    }
    this.settle();
  }

  tick(): void {
    for (const each of this.jobs.values()) {
      const { deadline } = each.spec;
      if (deadline !== undefined && deadline <= this.now && !this.ended(each.state)) {
        this.end(each, 'failed', 'deadline');
      }
    }
    // Jobs that lost their lease wait for no backoff here.
    for (const each of this.jobs.values()) {
      if (each.state === 'running' && each.leaseUntil <= this.now)
        this.fail(each, 'lease-lost', true);
    }
    this.settle();
    for (const [id, each] of this.jobs) {
      if (this.ended(each.state) && each.endedAt + each.spec.retentionMs <= this.now)
        this.jobs.delete(id);
    }
  }

  running(tenant: string): number {
    return [...this.jobs.values()].filter(
      (each) => each.spec.tenant === tenant && each.state === 'running',
    ).length;
  }

  /** @throws when a store must not make these claims. */
  claim(worker: string, queue: string, cores: number, max: number, claims: readonly Claim[]): void {
    let left = cores;
    assert.ok(claims.length <= max);
    for (const { job: claimed, token } of claims) {
      const each = this.jobs.get(claimed.id);
      if (!each) throw new Error(`${claimed.id} was never enqueued.`);
      assert.equal(each.state, 'ready');
      assert.equal(each.spec.queue, queue);
      assert.notEqual(this.modes.get(queue), 'paused');
      for (const other of this.jobs.values()) {
        const better =
          other !== each &&
          other.state === 'ready' &&
          other.spec.queue === queue &&
          other.spec.tenant === each.spec.tenant &&
          other.spec.resources.cores <= left &&
          (laneRank(other.spec.priority, other.readyAt) <
            laneRank(each.spec.priority, each.readyAt) ||
            (laneRank(other.spec.priority, other.readyAt) ===
              laneRank(each.spec.priority, each.readyAt) &&
              other.number < each.number));
        assert.ok(!better, `${other.id} goes before ${each.id}`);
      }
      left -= each.spec.resources.cores;
      assert.ok(left >= 0);
      assert.ok(token > Math.max(0, ...this.tokens));
      this.tokens.push(token);
      each.state = 'running';
      each.token = token;
      each.worker = worker;
      each.leaseUntil = this.now + LEASE_MS;
      each.log = 0;
      assert.ok(this.running(each.spec.tenant) <= (this.limits.get(each.spec.tenant) ?? Infinity));
    }
    if (claims.length === max || this.modes.get(queue) === 'paused') return;
    for (const each of this.jobs.values()) {
      if (each.state !== 'ready' || each.spec.queue !== queue) continue;
      const could =
        each.spec.resources.cores <= left &&
        this.running(each.spec.tenant) < (this.limits.get(each.spec.tenant) ?? Infinity);
      assert.ok(!could, `${each.id} was left although it fits`);
    }
  }
}

interface Real {
  readonly store: JobStore;
}

const pick = <T>(from: readonly T[], index: number): T | undefined =>
  from[index % Math.max(1, from.length)];

async function agree(model: Model, { store }: Real): Promise<void> {
  const { jobs } = await store.jobs({ limit: 1000 });
  const seen = jobs.map((each) => [
    each.id,
    each.state,
    each.attempts.length > 0 ? each.attempts.at(-1)?.endedAt === undefined : false,
  ]);
  const known = [...model.jobs.values()]
    .sort((a, b) => b.number - a.number)
    .map((each) => [each.id, each.state, each.state === 'running']);
  assert.deepEqual(seen, known);
  for (const { queue, counts } of await store.queues()) {
    for (const [state, count] of Object.entries(counts)) {
      const expected = [...model.jobs.values()].filter(
        (each) => each.spec.queue === queue && each.state === state,
      );
      assert.equal(count, expected.length, `${state} in ${queue}`);
    }
  }
}

type Command = fc.AsyncCommand<Model, Real>;
const command = (name: string, run: (model: Model, real: Real) => Promise<void>): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
    await agree(model, real);
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
      const [news] = await store.renew(worker, [token], LEASE_MS);
      const kept = each?.worker === worker;
      const cancelled = model.cancelled.get(token);
      const stopped = cancelled?.worker === worker && model.jobs.has(cancelled.id);
      assert.equal(news?.state, kept ? 'kept' : stopped ? 'cancel' : 'lost');
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
        const model = new Model();
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
