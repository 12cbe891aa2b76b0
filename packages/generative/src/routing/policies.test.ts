/** The policies of routing, which are pure: circuits, order, admission, prediction, commitment. */
import { SkeinError } from '@skein/api';
import { describe, expect, it, vi } from 'vitest';
import { CIRCUIT_MS, HEDGE_BURST } from '../tuning.ts';
import { upstreamError } from '../wire/upstream-error.ts';
import { admit } from './admit.ts';
import { afterFailure, afterSending, afterSuccess, CLOSED, closedIn } from './circuit.ts';
import { commit, type CommitOptions } from './commit.ts';
import { createFirstTokenModel } from './first-token.ts';
import { createHedgeBudget } from './hedge-budget.ts';
import { orderRoutes } from './order.ts';
import { createPlaces } from './places.ts';

const failed = upstreamError('UPSTREAM_FAILED', { provider: 'p', message: 'x' });

describe('a circuit', () => {
  it('opens after three failures in a row, lets one request through, and closes with its success', () => {
    let circuit = CLOSED;
    for (let at = 0; at < 2; at++) circuit = afterFailure(circuit, failed, 0, 0.5);
    expect(closedIn(afterFailure(afterSuccess(circuit, 0), failed, 0, 0.5), 0)).toBe(0);
    circuit = afterFailure(circuit, failed, 0, 0.5);
    const pause = closedIn(circuit, 0);
    expect(pause).toBeGreaterThan(0);
    circuit = afterSending(circuit, pause);
    expect(closedIn(circuit, pause)).toBeGreaterThan(0);
    expect(closedIn(afterSuccess(circuit, pause), pause)).toBe(0);
    const again = afterFailure(circuit, failed, pause, 0.5);
    expect(closedIn(again, pause)).toBeGreaterThan(pause * 1.9);
  });

  it('opens at once for a spent quota until its reset, each by its id', () => {
    const quota = (quotaId: string, retryAfterMs: number) =>
      upstreamError('UPSTREAM_BUSY', { provider: 'p', message: 'x', quotaId, retryAfterMs });
    let circuit = afterFailure(CLOSED, quota('per-day', 5_000_000), 0, 0);
    circuit = afterFailure(circuit, quota('per-minute', 1000), 0, 0);
    expect(closedIn(circuit, 2000)).toBe(4_998_000);
    expect(closedIn(afterSuccess(circuit, 2000), 2000)).toBe(4_998_000);
    expect(closedIn(circuit, 5_000_000)).toBe(0);
  });

  it('opens at once for a key that is refused', () => {
    const denied = upstreamError('UPSTREAM_DENIED', { provider: 'p', message: 'x' });
    expect(closedIn(afterFailure(CLOSED, denied, 0, 1), 0)).toBe(CIRCUIT_MS.longest);
  });

  it('does not open for what the caller has done', () => {
    const rejected = upstreamError('UPSTREAM_REJECTED', { provider: 'p', message: 'x' });
    let circuit = CLOSED;
    for (let at = 0; at < 9; at++) circuit = afterFailure(circuit, rejected, 0, 0);
    expect(circuit).toBe(CLOSED);
  });
});

describe('the order of routes', () => {
  const route = (index: number, more = {}) => ({
    index,
    weight: 1,
    quality: 0,
    cost: 0,
    ttftMs: 0,
    ...more,
  });
  const first = (
    policy: Parameters<typeof orderRoutes>[0],
    ...routes: ReturnType<typeof route>[]
  ) => orderRoutes(policy, routes, undefined, Math.random)[0]!.index;

  it('follows the list, the cost, the quality or the predicted first token', () => {
    const routes = [
      route(0, { cost: 3, quality: 1, ttftMs: 20 }),
      route(1, { cost: 1, quality: 2, ttftMs: 30 }),
      route(2, { cost: 2, quality: 3, ttftMs: 10 }),
    ];
    expect(first('order', ...routes)).toBe(0);
    expect(first('cost', ...routes)).toBe(1);
    expect(first('quality', ...routes)).toBe(2);
    expect(first('ttft', ...routes)).toBe(2);
  });

  it('gives each route its weight, and a sticky key always the same one while it is there', () => {
    const routes = [route(0, { weight: 3 }), route(1, { weight: 1 }), route(2, { weight: 0 })];
    const counts = [0, 0, 0];
    const moved: number[] = [];
    for (let key = 0; key < 4000; key++) {
      const sticky = `user-${key}`;
      const chosen = orderRoutes('weighted', routes, sticky, () => 0)[0]!.index;
      expect(orderRoutes('weighted', routes, sticky, () => 0.9)[0]!.index).toBe(chosen);
      counts[chosen]! += 1;
      const without = orderRoutes('weighted', routes.slice(0, 1), sticky, () => 0)[0]!.index;
      if (chosen === 0) moved.push(without);
    }
    expect(counts[0]! / 4000).toBeCloseTo(0.75, 1);
    expect(counts[2]).toBe(0);
    expect(new Set(moved)).toEqual(new Set([0]));
  });
});

describe('admission', () => {
  const idle = { closedInMs: 0, waitMs: 0, p50Ms: 100, p99Ms: 900 };

  it('uses a free place even when the tail is long, and refuses a wait that makes it late', () => {
    expect(admit(idle, 500, false)).toMatchObject({ admitted: true });
    expect(admit({ ...idle, waitMs: 1 }, 500, false)).toMatchObject({ reason: 'late' });
    const quick = { ...idle, p99Ms: 100 };
    expect(admit({ ...quick, waitMs: 300 }, 500, false)).toMatchObject({ admitted: true });
    expect(admit({ ...quick, waitMs: 400 }, 500, false)).toMatchObject({
      reason: 'late',
      inMs: 75,
    });
  });

  it('refuses what the caller asked for in less time than an idle provider takes', () => {
    expect(admit(idle, 99, true)).toEqual({ admitted: false, reason: 'never', inMs: Infinity });
    expect(admit(idle, 99, false)).toMatchObject({ admitted: true });
  });
});

it('predicts the first token from the length of the prompt', () => {
  const model = createFirstTokenModel();
  expect(model.predict(100, 0.99)).toBeUndefined();
  for (let at = 0; at < 400; at++) {
    const tokens = 50 * (1 + (at % 10));
    model.record(30 + 0.5 * tokens + (at % 7), tokens);
  }
  expect(model.msPerToken).toBeCloseTo(0.5, 1);
  expect(model.predict(2000, 0.5)!).toBeGreaterThan(950);
  expect(model.predict(2000, 0.5)!).toBeLessThan(1150);
  const constant = createFirstTokenModel();
  for (let at = 0; at < 100; at++) constant.record(at, 10);
  expect(constant.predict(10_000, 0.5)).toBeCloseTo(49, 0);
});

it('hedges a twentieth of the requests at most, whatever the pattern', () => {
  const budget = createHedgeBudget();
  let spent = 0;
  for (let request = 1; request <= 10_000; request++) {
    budget.earn();
    for (let tries = request % 3; tries > 0; tries--) if (budget.spend()) spent += 1;
    expect(spent).toBeLessThanOrEqual(0.05 * request + 1e-6);
  }
  expect(spent).toBeGreaterThan(450);
  // A quiet day saves up a few only.
  for (let request = 0; request < 10_000; request++) budget.earn();
  let saved = 0;
  while (budget.spend()) saved += 1;
  expect(saved).toBe(HEDGE_BURST);
});

describe('places', () => {
  const signal = new AbortController().signal;

  it('go to tenants by their shares: one that sends a hundred does not delay another', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const order: string[] = [];
    const release = await places.acquire({ tenant: 'busy', level: 3, longestMs: 60_000, signal });
    const all = ['busy', 'busy', 'busy', 'busy', 'quiet'].map(async (tenant) => {
      const done = await places.acquire({ tenant, level: 3, longestMs: 60_000, signal });
      order.push(tenant);
      done();
    });
    release();
    await Promise.all(all);
    expect(order[0]).toBe('quiet');
    expect(places.running).toBe(0);
  });

  it('are left by a caller that goes, and by one whose first token would be late', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const release = await places.acquire({ tenant: 'a', level: 3, longestMs: 0, signal });
    const gone = new AbortController();
    const waiting = places.acquire({
      tenant: 'a',
      level: 3,
      longestMs: 60_000,
      signal: gone.signal,
    });
    gone.abort(new SkeinError('CANCELLED', 'gone'));
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    const afterwards = { tenant: 'a', level: 3, longestMs: 1e9, signal: gone.signal };
    await expect(places.acquire(afterwards)).rejects.toMatchObject({ code: 'CANCELLED' });
    const late = places.acquire({ tenant: 'a', level: 3, longestMs: 1, signal });
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_UNREACHABLE' });
    expect(places.waiting).toBe(0);
    release();
    release();
    expect(places.running).toBe(0);
  });
});

describe('commitment', () => {
  type Play = { readonly after: number; readonly begunAfter?: number; readonly error?: SkeinError };

  /** Routes whose attempts answer or fail after some time of a fake clock. */
  async function play(plays: readonly Play[], more: Partial<CommitOptions<number, number>> = {}) {
    vi.useFakeTimers();
    try {
      const started: number[] = [];
      const cancelled: number[] = [];
      const result = commit<number, number>({
        routes: plays.map((_, index) => index),
        start(index, firstMs) {
          started.push(index);
          const { after, begunAfter, error } = plays[index]!;
          const content = new Promise<number>((resolve, reject) => {
            const late = upstreamError('UPSTREAM_TIMEOUT', { provider: 'p', message: 'late' });
            if (after > firstMs) setTimeout(() => reject(late), firstMs);
            else setTimeout(() => (error === undefined ? resolve(index) : reject(error)), after);
          });
          const cancel = () => void cancelled.push(index);
          if (begunAfter === undefined) return { content, cancel };
          const begun = new Promise<void>((resolve) => setTimeout(resolve, begunAfter));
          return { content, begun, cancel };
        },
        hedgeAfterMs: () => undefined,
        mayHedge: () => true,
        deadlineMs: 1000,
        clock: { now: () => Date.now() },
        ...more,
      }).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(5000);
      return { result: await result, started, cancelled };
    } finally {
      vi.useRealTimers();
    }
  }

  it('falls back while another provider may do better, and leaves it time', async () => {
    const { result, started } = await play([
      { after: 1, error: failed },
      { after: 1e9 },
      { after: 10 },
    ]);
    expect(started).toEqual([0, 1, 2]);
    expect(result).toEqual({ result: 2, attempts: 3 });
  });

  it('never falls back from a content filter or a refused request', async () => {
    for (const code of ['CONTENT_FILTERED', 'UPSTREAM_REJECTED', 'BUDGET_SPENT'] as const) {
      const { result, started } = await play([
        { after: 1, error: new SkeinError(code, 'x') },
        { after: 1 },
      ]);
      expect(started).toEqual([0]);
      expect(result).toMatchObject({ code });
    }
  });

  it('hedges once after the p95, and ends the slower one', async () => {
    const hedged = await play([{ after: 900 }, { after: 10 }], { hedgeAfterMs: () => 50 });
    expect(hedged).toMatchObject({ result: { result: 1, attempts: 2 }, cancelled: [0] });
    const spent = await play([{ after: 400 }, { after: 10 }], {
      hedgeAfterMs: () => 50,
      mayHedge: () => false,
    });
    expect(spent).toMatchObject({ result: { result: 0, attempts: 1 }, started: [0] });
  });

  it('does not hedge a long answer that began in time, but one that follows its failure', async () => {
    const long = { after: 400, begunAfter: 40 };
    const hedgeAfterMs = () => 50;
    expect(await play([long, { after: 10 }], { hedgeAfterMs })).toMatchObject({ started: [0] });
    const late = { ...long, begunAfter: 60 };
    expect(await play([late, { after: 10 }], { hedgeAfterMs })).toMatchObject({ started: [0, 1] });
    const cut = { after: 100, begunAfter: 40, error: failed };
    const plays = [cut, { after: 400 }, { after: 10 }];
    const { started, result } = await play(plays, { hedgeAfterMs });
    expect({ started, result }).toMatchObject({ started: [0, 1, 2], result: { result: 2 } });
  });

  it('goes on with the first when its hedge fails', async () => {
    const { result } = await play([{ after: 400 }, { after: 10, error: failed }], {
      hedgeAfterMs: () => 50,
    });
    expect(result).toMatchObject({ result: 0, attempts: 2 });
    // For want of money too, which ends a request that is sent once.
    const error = new SkeinError('BUDGET_SPENT', 'x');
    const poor = await play([{ after: 400 }, { after: 10, error }], { hedgeAfterMs: () => 50 });
    expect(poor.result).toMatchObject({ result: 0, attempts: 2 });
  });
});
