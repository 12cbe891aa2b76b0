/** The policies of routing, which are pure: circuits, order, admission, prediction, commitment. */
import { describe, expect, it } from 'vitest';
import { BELIEVED_SAMPLES, CIRCUIT_MS, HEDGE_BURST, MOST_QUOTAS } from '../tuning.ts';
import { faultOf, upstreamError } from '../wire/upstream-error.ts';
import { admit } from './admit.ts';
import { afterFailure, afterSending, CLOSED, closedIn } from './circuit.ts';
import { createFirstTokenModel } from './first-token.ts';
import { createHedgeBudget } from './hedge-budget.ts';
import { orderRoutes } from './order.ts';
import { type Quota, quotaOf, quotasOf, withQuota } from './quotas.ts';
import { afterFailureFor, afterSendingFor, ALL_CLOSED, closedInFor } from './shared-circuit.ts';

const failed = upstreamError('PROVIDER_FAILED', { provider: 'p', message: 'x' });

describe('a circuit', () => {
  it('opens after three failures in a row, and lets one request through', () => {
    let circuit = CLOSED;
    for (let at = 0; at < 2; at++) circuit = afterFailure(circuit, failed, 0, 0.5);
    circuit = afterFailure(circuit, failed, 0, 0.5);
    const pause = closedIn(circuit, 0);
    expect(pause).toBeGreaterThan(0);
    circuit = afterSending(circuit, pause);
    expect(closedIn(circuit, pause)).toBeGreaterThan(0);
    const again = afterFailure(circuit, failed, pause, 0.5);
    expect(closedIn(again, pause)).toBeGreaterThan(pause * 1.9);
  });

  it('opens for a minute at most, and not on all nodes for as long', () => {
    let circuit = CLOSED;
    for (let at = 0; at < 40; at++) circuit = afterFailure(circuit, failed, 0, 0.99);
    expect(closedIn(circuit, 0)).toBeLessThanOrEqual(CIRCUIT_MS.longest);
    const [early, late] = [0, 0.99].map((random) =>
      closedIn(afterFailure(circuit, failed, 0, random), 0),
    );
    expect(early).toBeLessThan(late! * 0.6);
  });

  it('opens at once for a key that is refused', () => {
    const denied = upstreamError('PROVIDER_DENIED', { provider: 'p', message: 'x' });
    const opened = afterFailure(CLOSED, denied, 0, 1);
    expect(closedIn(opened, 0)).toBe(CIRCUIT_MS.longest);
    // Then one request tries it, as after three failures.
    const tried = afterSending(opened, CIRCUIT_MS.longest);
    expect(closedIn(tried, CIRCUIT_MS.longest)).toBeGreaterThan(0);
  });

  it('does not open for what the caller has done', () => {
    const rejected = upstreamError('PROVIDER_REJECTED', { provider: 'p', message: 'x' });
    let circuit = CLOSED;
    for (let at = 0; at < 9; at++) circuit = afterFailure(circuit, rejected, 0, 0);
    expect(circuit).toBe(CLOSED);
  });
});

describe('a circuit that tenants share', () => {
  const denied = upstreamError('PROVIDER_DENIED', { provider: 'p', message: 'x' });
  const failedBy = (tenants: readonly string[], error = failed, isOfKey = false) =>
    tenants.reduce(
      (circuit, tenant) => afterFailureFor(circuit, tenant, error, 0, 0.5, isOfKey),
      ALL_CLOSED,
    );

  it('opens for the tenant whose own requests fail, however many they are', () => {
    const circuit = failedBy(Array.from({ length: 40 }, () => 'bad'));
    expect(closedInFor(circuit, 'bad', 0)).toBeGreaterThan(CIRCUIT_MS.longest / 2);
    expect(closedInFor(circuit, 'good', 0)).toBe(0);
    // A failure of another one is not the third of all.
    const both = afterFailureFor(circuit, 'good', failed, 0, 0.5, false);
    expect(closedInFor(both, 'good', 0)).toBe(0);
  });

  it('opens for all after the failures of three tenants, and lets one request through', () => {
    const circuit = failedBy(['a', 'b', 'c']);
    const pause = closedInFor(circuit, 'd', 0);
    expect(pause).toBeGreaterThan(0);
    const sent = afterSendingFor(circuit, 'a', pause);
    expect(closedInFor(sent, 'd', pause)).toBeGreaterThan(0);
    // The try of a tenant that has failed before proves nothing for others: the next one may try.
    const again = afterFailureFor(sent, 'a', failed, pause, 0.5, false);
    expect(closedInFor(again, 'd', pause)).toBe(0);
    const fourth = afterFailureFor(again, 'd', failed, pause, 0.5, false);
    expect(closedInFor(fourth, 'e', pause)).toBeGreaterThan(pause * 1.9);
  });

  it('opens at once for all when the key is refused, and for the tenant when the model is', () => {
    expect(closedInFor(failedBy(['a'], denied, true), 'b', 0)).toBeGreaterThan(0);
    const refused = failedBy(['a'], denied);
    expect(closedInFor(refused, 'a', 0)).toBeGreaterThan(0);
    expect(closedInFor(refused, 'b', 0)).toBe(0);
  });

  it('remembers a bounded number of tenants', () => {
    const names = Array.from({ length: 300 }, (_, at) => `t${at}`);
    expect([...failedBy(names).tenants.keys()]).toEqual(names.slice(-256));
  });
});

describe('spent quotas', () => {
  const refusal = (quotaId: string, retryAfterMs: number, isOfBackend = false) => {
    const code = isOfBackend ? 'PROVIDER_QUOTA' : 'PROVIDER_BUSY';
    return upstreamError(code, {
      provider: 'p',
      message: 'x',
      quotaId,
      retryAfterMs,
      isOfBackend,
    });
  };
  const spend = (quotas: readonly Quota[], error: ReturnType<typeof refusal>, model: string) =>
    withQuota(quotas, quotaOf(error, faultOf(error), model, 0)!, 0);
  const openIn = (quotas: readonly Quota[], model: string, now: number) =>
    quotasOf(quotas, model, now).map(({ id, until }) => [id, until - now]);

  it('are open until their reset, each by its id and its model', () => {
    let quotas = spend([], refusal('per-day', 5_000_000), 'a');
    quotas = spend(quotas, refusal('per-minute', 1000), 'a');
    quotas = spend(quotas, refusal('account', 9000, true), 'b');
    expect(openIn(quotas, 'a', 500)).toEqual([
      ['per-day', 4_999_500],
      ['account', 8500],
      ['per-minute', 500],
    ]);
    expect(openIn(quotas, 'b', 500)).toEqual([['account', 8500]]);
    expect(openIn(quotas, 'a', 5_000_000)).toEqual([]);
    expect(openIn(spend(quotas, refusal('per-day', 1000), 'a'), 'a', 8000)).toEqual([
      ['account', 1000],
    ]);
  });

  it('are so many at most: the last to be reset stay', () => {
    let quotas: Quota[] = [];
    for (let at = 1; at <= 2 * MOST_QUOTAS; at++) {
      quotas = spend(quotas, refusal(`id-${at}`, at * 1000), 'a');
    }
    expect(quotas).toHaveLength(MOST_QUOTAS);
    expect(openIn(quotas, 'a', 0)[0]).toEqual([`id-${2 * MOST_QUOTAS}`, 2000 * MOST_QUOTAS]);
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
    // With equal quality the cheaper one comes first.
    const equal = [route(0, { cost: 2 }), route(1, { cost: 1 })];
    expect(first('quality', ...equal)).toBe(1);
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
    // However small the weight of another is.
    const tiny = [route(0, { weight: 0 }), route(1, { weight: 0.001 })];
    expect(orderRoutes('weighted', tiny, undefined, () => 0.1)[0]!.index).toBe(1);
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

it('believes no quantile of a few times', () => {
  const times = createFirstTokenModel();
  for (let request = 1; request < BELIEVED_SAMPLES; request++) times.record(100, 10);
  expect(times.predict(10, 0.5)).toBeUndefined();
  times.record(100, 10);
  expect(times.predict(10, 0.5)).toBeCloseTo(100);
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
