import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constant, cosine, stepDecay, warmUp } from './schedule.ts';

const first = (schedule: (step: number) => number, count: number) =>
  Array.from({ length: count }, (_, step) => schedule(step));

it('keeps a constant rate', () => {
  expect(first(constant(0.1), 3)).toEqual([0.1, 0.1, 0.1]);
});

it('drops by a factor every so many steps', () => {
  expect(first(stepDecay({ rate: 1, every: 2, factor: 0.5 }), 5)).toEqual([1, 1, 0.5, 0.5, 0.25]);
});

describe('cosine', () => {
  it('gives the numbers of PyTorch’s CosineAnnealingLR(T_max=4, eta_min=0.1) from 1', () => {
    const wanted = [1, 0.868198051533946, 0.55, 0.231801948466054, 0.1];
    const rates = first(cosine({ rate: 1, steps: 4, last: 0.1 }), 5);
    rates.forEach((rate, i) => expect(rate).toBeCloseTo(wanted[i]!, 14));
  });

  it('never rises, stays between its ends, and stays at the last', () => {
    const rate = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 50 }), (rate, steps) => {
        const rates = first(cosine({ rate, steps, last: rate / 100 }), steps + 3);
        rates.slice(1).forEach((each, i) => expect(each).toBeLessThanOrEqual(rates[i]!));
        expect(rates[0]).toBeCloseTo(rate, 12);
        for (const each of rates.slice(steps)) expect(each).toBeCloseTo(rate / 100, 12);
      }),
      { seed: 1 },
    );
  });
});

it('warms up evenly and then follows the other schedule from its start', () => {
  const after = cosine({ rate: 0.4, steps: 3 });
  expect(first(warmUp(4, after), 7)).toEqual(
    [0.1, 0.2, 0.4 * (3 / 4), 0.4, 0.4, after(1), after(2)].map((rate) => expect.closeTo(rate, 12)),
  );
});

it('refuses invalid rates and numbers of steps', () => {
  expect(() => constant(NaN)).toThrow('A learning rate must be a number from 0 on, but is NaN.');
  expect(() => cosine({ rate: 1, steps: 0 })).toThrow('steps must be a whole number above 0');
  expect(() => stepDecay({ rate: 1, every: 1.5, factor: 1 })).toThrow('every');
  expect(() => stepDecay({ rate: 1, every: 1, factor: 0 })).toThrow('factor');
  expect(() => warmUp(-1, constant(1))).toThrow('steps');
});
