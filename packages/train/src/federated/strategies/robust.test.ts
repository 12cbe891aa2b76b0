import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fewestUpdates,
  krum,
  median,
  normBoundedMean,
  robustUpdate,
  type RobustRule,
  trimmedMean,
  type Updates,
} from './robust.ts';

const updates = (...rows: readonly number[][]): Updates =>
  rows.map((row) => Float32Array.from(row));

/** Five honest updates near [1, −1], and two that pull away without a bound. */
const attacked = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
      minLength: 5,
      maxLength: 5,
    }),
    fc.array(fc.tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.integer({ min: -1e6, max: 1e6 })), {
      minLength: 2,
      maxLength: 2,
    }),
  )
  .map(([honest, others]) =>
    updates(
      ...honest.map(([a, b]) => [1 + a / 100, -1 + b / 100]),
      ...others.map((each) => [...each]),
    ),
  );

describe('two of seven sites with any update', () => {
  it.each([
    ['the median', median],
    ['the trimmed mean', (all: Updates) => trimmedMean(all, 2)],
    ['Krum', (all: Updates) => krum(all, 2)],
  ])('do not move %s out of the range of the others', (_, aggregate) =>
    fc.assert(
      fc.property(attacked, (all) => {
        const [a, b] = aggregate(all);
        expect(Math.abs(a! - 1)).toBeLessThanOrEqual(0.0901);
        expect(Math.abs(b! + 1)).toBeLessThanOrEqual(0.0901);
      }),
    ),
  );

  it('move a bounded mean by no more than the bound', () =>
    fc.assert(
      fc.property(attacked, (all) => {
        const found = normBoundedMean(all, 1);
        const honest = normBoundedMean(all.slice(0, 5), 1);
        const moved = Math.hypot(
          found[0]! - (honest[0]! * 5) / 7,
          found[1]! - (honest[1]! * 5) / 7,
        );
        expect(moved).toBeLessThanOrEqual(2 / 7 + 1e-6);
      }),
    ));
});

it('are the numbers that they are named after', () => {
  const all = updates([1, 8], [2, 6], [9, 7], [4, 1]);
  expect([...median(all)]).toEqual([3, 6.5]);
  expect([...trimmedMean(all, 1)]).toEqual([3, 6.5]);
  expect([...trimmedMean(all, 0)]).toEqual([4, 5.5]);
  expect([...normBoundedMean(updates([3, 4], [0, 1]), 1)].map((x) => Number(x.toFixed(4)))).toEqual(
    [0.3, 0.9],
  );
});

it.each<[RobustRule, number, number[]]>([
  [{ name: 'median' }, 1, [3, 7]],
  [{ name: 'trimmed-mean', dishonest: 1 }, 3, [3, 6.6667]],
  [{ name: 'krum', dishonest: 1 }, 5, [2, 6]],
  [{ name: 'norm-bound', norm: 100 }, 1, [3.8, 5.8]],
])('are chosen by a rule: %j', (rule, fewest, expected) => {
  const all = updates([1, 8], [2, 6], [9, 7], [4, 1], [3, 7]);
  expect([...robustUpdate(all, rule)].map((x) => Number(x.toFixed(4)))).toEqual(expected);
  expect(fewestUpdates(rule)).toBe(fewest);
  expect(() => robustUpdate(all.slice(0, fewest - 1), rule)).toThrow('Robust aggregation');
});

it.each([
  [() => median([]), 'no update'],
  [() => median(updates([1], [1, 2])), 'update 1 has 2 numbers'],
  [() => median(updates([1], [NaN])), 'not finite'],
  [() => trimmedMean(updates([1], [2]), 1), 'do not leave any'],
  [() => krum(updates([1], [2], [3], [4]), 1), 'need 5 updates'],
  [() => normBoundedMean(updates([1]), 0), 'norm 0'],
])('refuses what cannot be aggregated %#', (work, message) => {
  expect(work).toThrow(message);
});
