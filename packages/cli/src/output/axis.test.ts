import fc from 'fast-check';
import { expect, it } from 'vitest';
import { axisOf } from './line-chart.ts';

it('has round ticks, between which everything lies', () => {
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const values = fc.array(value, { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(values, fc.boolean(), (numbers, mayBeLogarithmic) => {
      const { ticks, place, logarithmic } = axisOf(numbers, mayBeLogarithmic);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(logarithmic ? 320 : 8);
      expect(place(ticks[0]!)).toBeCloseTo(0, 9);
      expect(place(ticks.at(-1)!)).toBeCloseTo(1, 9);
      for (const number of numbers) {
        expect(place(number)).toBeGreaterThanOrEqual(-1e-6);
        expect(place(number)).toBeLessThanOrEqual(1 + 1e-6);
      }
      const places = ticks.map(place);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
    }),
    { seed: 5, numRuns: 500 },
  );
});

it('is logarithmic from a decade on, when requested and no value is zero', () => {
  expect(axisOf([0.02, 3], true)).toMatchObject({
    logarithmic: true,
    ticks: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5].map((each) => expect.closeTo(each, 9)),
  });
  expect(axisOf([0.02, 3], false).logarithmic).toBe(false);
  expect(axisOf([0, 3], true).logarithmic).toBe(false);
  expect(axisOf([1, 3], true).logarithmic).toBe(false);
});
