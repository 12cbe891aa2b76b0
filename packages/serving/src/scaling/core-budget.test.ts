import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { divideCores, type Claim } from './core-budget.ts';

const claim = (id: string, more: Partial<Claim> = {}): Claim => ({
  id,
  threads: 1,
  min: 1,
  wanted: 1,
  current: 1,
  oversubscribe: false,
  ...more,
});

const claims = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc
          .record({
            threads: fc.integer({ min: 1, max: 4 }),
            min: fc.nat(2),
            more: fc.nat(6),
            current: fc.nat(6),
            oversubscribe: fc.boolean(),
          })
          .map(({ more, min, ...rest }) => claim(id, { ...rest, min, wanted: min + more })),
      ),
    ),
  );

describe('the core budget', () => {
  it('never exceeds the cores beyond the minimums, and leaves no core unused that a version wants', () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 1, max: 16 }), (list, cores) => {
        const granted = divideCores(list, cores);
        let used = 0;
        let minimum = 0;
        for (const { id, min, wanted, threads, oversubscribe } of list) {
          const has = granted.get(id)!;
          expect(has).toBeGreaterThanOrEqual(min);
          expect(has).toBeLessThanOrEqual(wanted);
          if (oversubscribe) expect(has).toBe(wanted);
          else {
            used += has * threads;
            minimum += min * threads;
          }
        }
        expect(used).toBeLessThanOrEqual(Math.max(cores, minimum));
        for (const { id, wanted, threads, oversubscribe } of list) {
          if (oversubscribe || granted.get(id)! >= wanted) continue;
          expect(threads).toBeGreaterThan(cores - used);
        }
      }),
    );
  });

  it('is stable: the same claims get the same cores', () => {
    fc.assert(
      fc.property(claims, fc.integer({ min: 1, max: 16 }), (list, cores) => {
        const once = divideCores(list, cores);
        const again = divideCores(
          list.map((each) => ({ ...each, current: once.get(each.id)! })),
          cores,
        );
        expect(Object.fromEntries(again)).toEqual(Object.fromEntries(once));
      }),
    );
  });

  it('gives equal shares to two versions that want all cores', () => {
    const granted = divideCores(
      [claim('a', { wanted: 8, current: 7 }), claim('b', { wanted: 8, current: 1 })],
      8,
    );
    expect(Object.fromEntries(granted)).toEqual({ a: 4, b: 4 });
  });

  it('gives the unused share of one version to the other', () => {
    const granted = divideCores([claim('a', { wanted: 8 }), claim('b', { wanted: 2 })], 8);
    expect(Object.fromEntries(granted)).toEqual({ a: 6, b: 2 });
  });

  it('counts threads', () => {
    const granted = divideCores([claim('a', { wanted: 8, threads: 4 }), claim('b')], 8);
    expect(Object.fromEntries(granted)).toEqual({ a: 1, b: 1 });
  });

  it('does not move a third core between two busy versions', () => {
    const wants = { wanted: 5 };
    const first = divideCores([claim('a', wants), claim('b', { ...wants, current: 2 })], 3);
    expect(Object.fromEntries(first)).toEqual({ a: 1, b: 2 });
  });
});
