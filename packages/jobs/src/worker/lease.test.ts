/** The lease keeper against a fake store of a few lines that records the leases it granted. */
import { SkeinError } from '@skein/api/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LeaseNotification } from '../contract.ts';
import { keepLeases, type LeaseKeeper } from './lease.ts';

const LEASE_MS = 9000;

let reachable: boolean;
let hangs: boolean;
let renewals: { at: number; tokens: readonly number[] }[];
let answers: Map<number, LeaseNotification['state']>;
let notify: (notification: LeaseNotification) => void;
let unsubscribed: boolean;
let keeper: LeaseKeeper;
const notes: string[] = [];
let startedAt: number;

beforeEach(async () => {
  vi.useFakeTimers();
  startedAt = Date.now();
  reachable = true;
  hangs = false;
  unsubscribed = false;
  renewals = [];
  answers = new Map();
  notes.length = 0;
  keeper = await keepLeases({
    worker: 'w',
    leaseMs: LEASE_MS,
    now: () => Date.now() - startedAt,
    log: (_, message) => notes.push(message),
    store: {
      async renew(_, tokens) {
        if (hangs) return new Promise(() => undefined);
        if (!reachable) throw new SkeinError('STORE_UNREACHABLE', 'away');
        renewals.push({ at: Date.now() - startedAt, tokens });
        return tokens.map((token) => ({ token, state: answers.get(token) ?? 'kept' }));
      },
      async onLeaseNotification(_, listener) {
        notify = listener;
        return async () => {
          unsubscribed = true;
        };
      },
    },
  });
});
afterEach(async () => {
  await keeper.close();
  vi.useRealTimers();
});

it('stops listening when it is closed', async () => {
  await keeper.close();
  expect(unsubscribed).toBe(true);
  await vi.advanceTimersByTimeAsync(3 * LEASE_MS);
  expect(renewals).toEqual([]);
});

describe('leases', () => {
  it('are renewed three times within their length, for as long as they are held', async () => {
    const lease = keeper.hold(7, 0);
    await vi.advanceTimersByTimeAsync(20 * LEASE_MS);
    expect(lease.ended.aborted).toBe(false);
    const times = renewals.map(({ at }) => at);
    expect(Math.max(...times.slice(1).map((at, index) => at - times[index]!))).toBe(LEASE_MS / 3);
    expect(renewals.every(({ tokens }) => tokens.length === 1)).toBe(true);
    lease.release();
    await vi.advanceTimersByTimeAsync(LEASE_MS);
    // The beat continues: it is the heartbeat of the worker.
    expect(renewals.at(-1)).toMatchObject({ tokens: [] });
    expect(lease.ended.aborted).toBe(false);
  });

  it.each(['lost', 'cancel'] as const)(
    'end with "%s" when the store requires it',
    async (state) => {
      const [ends, stays] = [keeper.hold(1, 0), keeper.hold(2, 0)];
      answers.set(1, state);
      await vi.advanceTimersByTimeAsync(LEASE_MS / 2);
      expect(ends.ended.reason).toBe(state);
      expect(stays.ended.aborted).toBe(false);
      expect(ends.preempted.aborted).toBe(false);
    },
  );

  it('are notified at once between two renewals', () => {
    const lease = keeper.hold(1, 0);
    notify({ token: 1, state: 'preempt' });
    expect(lease.preempted.aborted).toBe(true);
    expect(lease.ended.aborted).toBe(false);
    notify({ token: 1, state: 'cancel' });
    expect(lease.ended.reason).toBe('cancel');
    notify({ token: 99, state: 'lost' });
  });

  it('survive an outage of the store that is shorter than a lease', async () => {
    const lease = keeper.hold(1, 0);
    await vi.advanceTimersByTimeAsync(LEASE_MS / 3);
    reachable = false;
    await vi.advanceTimersByTimeAsync(LEASE_MS * 0.9);
    expect(lease.ended.aborted).toBe(false);
    expect(keeper.connected).toBe(false);
    reachable = true;
    await vi.advanceTimersByTimeAsync(LEASE_MS * 3);
    expect(lease.ended.aborted).toBe(false);
    expect(keeper.connected).toBe(true);
    expect(notes).toHaveLength(2);
  });

  it.each(['refuses', 'hangs'])(
    'end by the worker’s own clock when the store %s for longer',
    async (how) => {
      const lease = keeper.hold(1, 0);
      await vi.advanceTimersByTimeAsync(LEASE_MS / 3);
      const lastKept = renewals.at(-1)!.at;
      if (how === 'hangs') hangs = true;
      else reachable = false;
      await vi.advanceTimersByTimeAsync(lastKept + LEASE_MS - 1 - (Date.now() - startedAt));
      expect(lease.ended.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(LEASE_MS / 12);
      expect(lease.ended.reason).toBe('lost');
    },
  );

  it('count from when the claim was sent', async () => {
    hangs = true;
    await vi.advanceTimersByTimeAsync(5000);
    const slow = keeper.hold(1, 0);
    const quick = keeper.hold(2, 5000);
    await vi.advanceTimersByTimeAsync(LEASE_MS - 5000 + LEASE_MS / 12);
    expect(slow.ended.aborted).toBe(true);
    expect(quick.ended.aborted).toBe(false);
  });
});
