import { beforeEach, describe, expect, it } from 'vitest';
import { failure, job, offer } from '../testing/fixtures.ts';
import { openLocalJobs, type LocalJobs, type Method } from './local-jobs.ts';
import { noNotifications } from './transaction.ts';

const START = Date.UTC(2030, 0, 1);
const HOUR_MS = 3_600_000;
const LEASE_MS = 30_000;

let store: LocalJobs;
let at: { now: number; uptime: number };
beforeEach(() => {
  store = openLocalJobs(':memory:');
  at = { now: START, uptime: 5.25 };
});

function call(method: Method, ...args: unknown[]): unknown {
  const [settled] = store.run([{ method, args, ...at }], noNotifications());
  if (settled === undefined || 'error' in settled) throw settled?.error;
  return settled.value;
}

it('a clock that is set back prolongs no backoff, and moves no job that must not start before a time', () => {
  const later = START + 2 * HOUR_MS;
  const retry = { maxAttempts: 3, backoffMs: 2000, maxBackoffMs: 2000 };
  call('enqueue', [job({ id: 'j', retry }), job({ id: 'later', notBefore: later, retry })]);
  at = { now: START + HOUR_MS, uptime: at.uptime + HOUR_MS };
  const [{ token } = { token: 0 }] = call('claim', offer()) as { token: number }[];
  call('finish', token, failure());
  call('tick');
  at = { now: START, uptime: at.uptime + 500.5 };
  call('tick');
  at = { now: START + 2000, uptime: at.uptime + 2000 };
  call('tick');
  expect((call('job', 'j') as { state: string }).state).toBe('ready');
  at = { now: later - 1, uptime: at.uptime + later - 1 - at.now };
  call('tick');
  expect((call('job', 'later') as { state: string }).state).toBe('blocked');
});

describe('a clock that is set ahead while a job runs', () => {
  beforeEach(() => {
    const total = { cores: 1, memoryBytes: 2 ** 30 };
    const worker = { worker: 'w', host: 'h', queues: ['q'], labels: [], mode: 'open', total };
    call('registerWorker', { ...worker, startedAt: START });
    call('enqueue', [job({ id: 'j' })]);
    const taken = offer({ worker: 'w', max: 1, leaseMs: LEASE_MS });
    call('claim', taken);
    call('tick');
  });
  const state = () => (call('job', 'j') as { state: string }).state;

  it('ends no lease: the machine was suspended, or its clock was wrong', () => {
    expect(state()).toBe('running');
    at = { now: START + HOUR_MS, uptime: at.uptime + 500.5 };
    call('tick');
    expect(state()).toBe('running');
    expect(call('workers')).toMatchObject([{ worker: 'w', running: 1 }]);
    // The rest of the lease before is the rest of it now.
    at = { now: at.now + LEASE_MS - 502, uptime: at.uptime + LEASE_MS - 502 };
    call('tick');
    expect(state()).toBe('running');
    at = { now: at.now + 2, uptime: at.uptime + 2 };
    call('tick');
    expect(state()).not.toBe('running');
  });

  it('prolongs no lease that was renewed since', () => {
    at = { now: START + HOUR_MS, uptime: at.uptime + 500.5 };
    expect(call('renew', 'w', [1], LEASE_MS)).toMatchObject([{ state: 'kept' }]);
    call('tick');
    at = { now: at.now + LEASE_MS, uptime: at.uptime + LEASE_MS };
    call('tick');
    expect(state()).not.toBe('running');
  });
});
