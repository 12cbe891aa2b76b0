import { describe, expect, it } from 'vitest';
import { createArrivals, type ArrivalPlan } from './arrivals.ts';

function times(plan: ArrivalPlan, until: number): number[] {
  const next = createArrivals(plan);
  const all: number[] = [];
  for (let at = next(); at < until; at = next()) all.push(at);
  return all;
}

describe('constant arrivals', () => {
  it('come evenly from the start', () => {
    expect(times({ kind: 'constant', rate: 4, seed: 1 }, 1000)).toEqual([0, 250, 500, 750]);
  });

  it('interleave when threads share them', () => {
    const plan = { kind: 'constant', rate: 4, seed: 1 } as const;
    const shares = [0, 1].map((part) => times({ ...plan, share: { part, of: 2 } }, 1000));
    expect(shares).toEqual([
      [0, 500],
      [250, 750],
    ]);
  });
});

describe('Poisson arrivals', () => {
  const plan = { kind: 'poisson', rate: 1000, seed: 7 } as const;

  it('are the same for the same seed, and different for another seed', () => {
    expect(times(plan, 100)).toEqual(times(plan, 100));
    expect(times(plan, 100)).not.toEqual(times({ ...plan, seed: 8 }, 100));
  });

  it('have exponential gaps: their mean and standard deviation are one over the rate', () => {
    const at = times(plan, 100_000);
    const gaps = at.map((time, index) => time - (at[index - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    // The mean of 100,000 gaps; five standard errors of an exponential distribution.
    expect(Math.abs(mean - 1)).toBeLessThan(0.016);
    expect(Math.abs(Math.sqrt(variance) - 1)).toBeLessThan(0.025);
    const longerThanTwo = gaps.filter((gap) => gap > 2).length / gaps.length;
    expect(Math.abs(longerThanTwo - Math.exp(-2))).toBeLessThan(0.006);
  });

  it('add up to the whole rate over threads with different parts', () => {
    const shares = [0, 1, 2].map((part) => times({ ...plan, share: { part, of: 3 } }, 30_000));
    const total = shares.reduce((sum, share) => sum + share.length, 0);
    expect(Math.abs(total / 30_000 - 1)).toBeLessThan(0.03);
    expect(shares[0]?.slice(0, 10)).not.toEqual(shares[1]?.slice(0, 10));
  });
});

it('refuses an invalid rate', () => {
  expect(() => createArrivals({ kind: 'constant', rate: 0, seed: 1 })).toThrow(/above zero/);
});
