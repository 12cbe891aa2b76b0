/**
 * A store of jobs that is obviously right: a list of jobs with their states, searched from the beginning
 * each time.
 *
 * Which of several jobs a claim takes is the store's to choose, so the model checks the choice
 * instead of making it: only ready jobs, nothing over a limit, nothing better passed over within a
 * tenant, and no place left empty for which something was ready.
 */
import assert from 'node:assert/strict';
import type { Claim, JobSpec, JobState, JobStore } from '../../contract.ts';
import { laneRank } from '../lane.ts';

const START = Date.UTC(2026, 0, 1);
export const LEASE_MS = 1000;

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

export class JobModel {
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

/** @throws where the store and the model differ. */
export async function agree(model: JobModel, store: JobStore): Promise<void> {
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
