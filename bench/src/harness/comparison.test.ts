import { expect, it } from 'vitest';
import { compare } from './comparison.ts';
import type { Measure } from './report.ts';

const row = (key: string, target: Measure['target']): Measure => ({
  key,
  what: key,
  unit: '',
  target,
});
const MEASURES = [
  row('rate', { atLeast: 1 }),
  row('delay', { atMost: 1 }),
  row('shown', null),
  row('absent', { atLeast: 1 }),
];

it('is above 1 where the new figure is better, for both directions of better', () => {
  const { rows, geometricMean } = compare(MEASURES, [
    { old: { rate: 100, delay: 10, shown: 1 }, new: { rate: 200, delay: 20, shown: 5 } },
  ]);
  expect(rows).toEqual([
    { key: 'rate', gain: 2, low: 2, high: 2 },
    { key: 'delay', gain: 0.5, low: 0.5, high: 0.5 },
  ]);
  expect(geometricMean.gain).toBeCloseTo(1);
});

it('takes the median of the pairs, not the ratio of medians', () => {
  const pairs = [
    { old: { rate: 100 }, new: { rate: 110 } },
    { old: { rate: 10 }, new: { rate: 9 } },
    { old: { rate: 1000 }, new: { rate: 1050 } },
  ];
  expect(compare(MEASURES, pairs).rows[0]).toMatchObject({ gain: 1.05, low: 0.9, high: 1.1 });
});

it('gives the bounds of the gain, without the rounds that chance alone may have made', () => {
  const rate = [0.5, 0.9, 0.97, 0.98, 0.99, 1, 1.01, 1.02, 1.03, 1.1, 2].map((fresh) => ({
    old: { rate: 1 },
    new: { rate: fresh },
  }));
  const { rows, geometricMean } = compare(MEASURES, rate);
  // The second of eleven samples, from each end: Conover, Practical Nonparametric Statistics, 3.2.
  expect(rows).toEqual([{ key: 'rate', gain: 1, low: 0.9, high: 1.1 }]);
  expect(geometricMean).toMatchObject({ gain: expect.closeTo(1), low: expect.closeTo(0.9) });
});

it('leaves out what a round did not measure', () => {
  expect(compare(MEASURES, [{ old: { rate: 0 }, new: { rate: 1 } }]).rows).toEqual([]);
});
