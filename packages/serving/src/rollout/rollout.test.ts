import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RolloutPlan } from '@skein/api';
import { isImprobable, type Counts } from './judge.ts';
import {
  advance,
  beginRollout,
  copiedShareOf,
  isOver,
  shareOf,
  trafficOf,
  type Rollout,
  type RolloutEvent,
} from './rollout.ts';
import type { RolloutWindow } from './windows.ts';

const plan = (more: Partial<RolloutPlan> = {}): RolloutPlan => ({
  ...RolloutPlan.parse({}),
  ...more,
});
const counts = (requests: number, errors = 0, late = 0, odd = 0): Counts => ({
  requests,
  errors,
  late,
  odd,
});
const begin = (of: RolloutPlan): Rollout =>
  beginRollout(of, [{ version: '1', weight: 100 }], '2', 0.99, 0);
const warmed: RolloutEvent = { kind: 'warmed' };
/** Measurements of a node alone in a step. */
const seen = (
  candidate: Counts,
  stable = counts(1000),
  more: Partial<RolloutWindow> = {},
): RolloutEvent => ({
  kind: 'observed',
  windows: new Map([['a', { step: 0, candidate, stable, ...more }]]),
});

describe('an immediate rollout', () => {
  it('finishes once the version is warm', () => {
    const over = advance(begin(plan()), warmed, 1000);
    expect(over.phase).toBe('finished');
    expect(trafficOf(over)).toEqual([{ version: '2', weight: 100 }]);
  });

  it('keeps the traffic if the version cannot start', () => {
    const over = advance(begin(plan()), { kind: 'failed', reason: 'operator Foo is unknown' }, 10);
    expect(over).toMatchObject({ phase: 'rolled-back', reason: 'operator Foo is unknown' });
    expect(trafficOf(over)).toEqual([{ version: '1', weight: 100 }]);
  });
});

describe('a canary', () => {
  const canary = plan({ strategy: 'canary', steps: [5, 50], stepMs: 1000, minRequests: 20 });

  it('takes each step once it has held and enough requests were good', () => {
    let rollout = advance(begin(canary), warmed, 0);
    expect(shareOf(rollout)).toBe(5);
    // Not yet: first too early, then too few requests.
    rollout = advance(rollout, seen(counts(100)), 999);
    expect(shareOf(rollout)).toBe(5);
    rollout = advance(rollout, seen(counts(19)), 1000);
    expect(shareOf(rollout)).toBe(5);
    rollout = advance(rollout, seen(counts(20)), 1001);
    expect(shareOf(rollout)).toBe(50);
    // A window of the previous step does not count again.
    rollout = advance(rollout, seen(counts(40)), 2001);
    expect(shareOf(rollout)).toBe(50);
    rollout = advance(rollout, seen(counts(20), counts(1000), { step: 1 }), 2002);
    expect(shareOf(rollout)).toBe(100);
    rollout = advance(rollout, seen(counts(20), counts(1000), { step: 2 }), 3002);
    expect(rollout.phase).toBe('finished');
  });

  it('rolls back at once if too many requests fail', () => {
    const rollout = advance(begin(canary), warmed, 0);
    const over = advance(rollout, seen(counts(20, 5)), 100);
    expect(over.phase).toBe('rolled-back');
    expect(over.reason).toContain('5 of 20 requests failed');
    expect(trafficOf(over)).toEqual([{ version: '1', weight: 100 }]);
  });

  it('rolls back if the objective is missed', () => {
    const rollout = advance(begin(canary), warmed, 0);
    const over = advance(rollout, seen(counts(200, 0, 20)), 100);
    expect(over.phase).toBe('rolled-back');
    expect(over.reason).toContain('20 of 200 requests missed the objective');
  });

  it('does not blame the new version for failures that the old one has too', () => {
    const rollout = advance(begin(canary), warmed, 0);
    const both = seen(counts(200, 20, 20), counts(2000, 200, 200));
    expect(advance(rollout, both, 100).phase).toBe('shifting');
    expect(shareOf(advance(rollout, both, 1000))).toBe(50);
  });

  it('holds while in doubt, and rolls back if the doubt remains', () => {
    const rollout = advance(begin(canary), warmed, 0);
    // One of twenty is more than 1 %, but not significant.
    const doubt = seen(counts(20, 1));
    expect(advance(rollout, doubt, 5000)).toBe(rollout);
    expect(advance(rollout, doubt, 10_000)).toMatchObject({
      phase: 'rolled-back',
      reason: expect.stringContaining('in doubt') as string,
    });
  });

  it('continues without traffic after a while, and reports how few requests it had', () => {
    const rollout = advance(begin(canary), warmed, 0);
    expect(advance(rollout, seen(counts(3)), 9_999)).toBe(rollout);
    const next = advance(rollout, seen(counts(3)), 10_000);
    expect(shareOf(next)).toBe(50);
    expect(next.reason).toContain('3 of 20 requests');
  });
});

describe('a shadow', () => {
  const shadow = plan({ strategy: 'shadow', steps: [50, 100], stepMs: 1000, tolerance: 0.01 });
  const comparison = { compared: 30, differing: 0, maxDifference: 0.001 };

  it('gets no traffic, whatever it copies', () => {
    let rollout = advance(begin(shadow), warmed, 0);
    expect(rollout.phase).toBe('comparing');
    expect(copiedShareOf(rollout)).toBe(0.5);
    rollout = advance(rollout, seen(counts(30), counts(2000), { comparison }), 1000);
    expect(copiedShareOf(rollout)).toBe(1);
    expect(trafficOf(rollout)).toEqual([{ version: '1', weight: 100 }]);
    rollout = advance(rollout, seen(counts(60), counts(2000), { comparison, step: 1 }), 2000);
    expect(rollout.phase).toBe('finished');
    expect(rollout.reason).toContain('30 compared');
    expect(trafficOf(rollout)).toEqual([{ version: '1', weight: 100 }]);
  });

  it('rolls back at the first difference beyond the tolerance', () => {
    const rollout = advance(begin(shadow), warmed, 0);
    const worse = { compared: 1, differing: 1, maxDifference: 0.5 };
    const over = advance(rollout, seen(counts(1), counts(2000), { comparison: worse }), 10);
    expect(over.phase).toBe('rolled-back');
    expect(over.reason).toContain('0.5');
  });
});

describe('every rollout', () => {
  const anyPlan = fc.record({
    strategy: fc.constantFrom('immediate' as const, 'canary' as const, 'shadow' as const),
    steps: fc.array(fc.double({ min: 0.001, max: 100, noNaN: true }), {
      minLength: 1,
      maxLength: 20,
    }),
    stepMs: fc.integer({ min: 100, max: 100_000 }),
    minRequests: fc.integer({ min: 1, max: 100 }),
    maxErrorShare: fc.double({ min: 0, max: 1, noNaN: true }),
    tolerance: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  });
  const split = fc.uniqueArray(fc.constantFrom('1', '2', '3'), { minLength: 1 }).chain((versions) =>
    fc.tuple(
      ...versions.map((version) =>
        fc.record({
          version: fc.constant(version),
          weight: fc.double({ min: 0.01, max: 1000, noNaN: true }),
        }),
      ),
    ),
  );
  const growth = fc.record({
    requests: fc.nat(50),
    errors: fc.nat(3),
    late: fc.nat(3),
    odd: fc.nat(2),
    stable: fc.nat(100),
    difference: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('ends, always splits all of the traffic, and never changes after its end', () => {
    fc.assert(
      fc.property(anyPlan, split, fc.array(growth, { minLength: 1 }), (of, from, growths) => {
        let rollout = beginRollout(of, from, 'new', 0.99, 0);
        let now = 0;
        let candidate = counts(0);
        let stable = counts(0);
        let maxDifference = 0;
        let last = 0;
        const check = (): void => {
          const traffic = trafficOf(rollout);
          const total = traffic.reduce((sum, { weight }) => sum + weight, 0);
          expect(total).toBeCloseTo(100, 6);
          expect(traffic.every(({ weight }) => weight > 0)).toBe(true);
          const share = shareOf(rollout);
          if (rollout.phase === 'rolled-back' || of.strategy === 'shadow') expect(share).toBe(0);
          else expect(share).toBeGreaterThanOrEqual(last);
          last = share;
        };
        check();
        rollout = advance(rollout, warmed, now);
        check();
        // Each step lasts at most ten times its time; there are four ticks per step.
        const most = (rollout.plan.steps.length * 10 + 1) * 4 + 4;
        for (let i = 0; i < most && !isOver(rollout); i++) {
          const more = growths[i % growths.length]!;
          now += of.stepMs / 4;
          candidate = counts(
            candidate.requests + more.requests,
            candidate.errors + Math.min(more.errors, more.requests),
            candidate.late + Math.min(more.late, more.requests),
          );
          stable = counts(stable.requests + more.stable);
          maxDifference = Math.max(maxDifference, more.difference);
          const comparison = { compared: candidate.requests, differing: 0, maxDifference };
          const { step } = rollout;
          rollout = advance(rollout, seen(candidate, stable, { comparison, step }), now);
          check();
        }
        expect(isOver(rollout)).toBe(true);
        const over = rollout;
        expect(advance(over, warmed, now + 1)).toBe(over);
        expect(advance(over, seen(counts(1000, 1000)), now + 1)).toBe(over);
        expect(advance(over, { kind: 'failed', reason: 'late' }, now + 1)).toBe(over);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the binomial test', () => {
  /** P(X ≥ count), term by term in plain arithmetic. */
  const tail = (count: number, n: number, share: number): number => {
    let sum = 0;
    for (let k = count; k <= n; k++) {
      let term = 1;
      for (let i = 0; i < k; i++) term *= ((n - i) / (k - i)) * share;
      sum += term * (1 - share) ** (n - k);
    }
    return sum;
  };

  it('agrees with the sum of the probabilities', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 150 }),
        fc.nat(150),
        fc.double({ min: 0.001, max: 0.3, noNaN: true }),
        (n, some, share) => {
          const count = Math.min(n, some);
          const exact = tail(count, n, share);
          fc.pre(Math.abs(exact - 0.01) > 1e-6 && count > n * share);
          expect(isImprobable(count, n, share)).toBe(exact < 0.01);
        },
      ),
    );
  });

  it('is close for large counts, where the normal distribution is used', () => {
    // P(X ≥ 1227 | 100000, 0.012) = 0.222; P(X ≥ 1285) = 0.0075, summed by log-gamma.
    expect(isImprobable(1227, 100_000, 0.012)).toBe(false);
    expect(isImprobable(1285, 100_000, 0.012)).toBe(true);
  });

  it('treats one event as improbable if none is allowed', () => {
    expect(isImprobable(1, 1000, 0)).toBe(true);
    expect(isImprobable(0, 1000, 0)).toBe(false);
  });
});
