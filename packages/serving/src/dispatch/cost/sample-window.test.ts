import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SampleWindow } from './sample-window.ts';

test('quantiles cover the newest samples, sorted', () => {
  const samples = fc.array(fc.nat(50), { maxLength: 200 });
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 20 }), (values, size) => {
      const window = new SampleWindow(size);
      values.forEach((value, i) => {
        window.record(value);
        const sorted = values.slice(Math.max(0, i + 1 - size), i + 1).sort((a, b) => a - b);
        expect(window.count).toBe(sorted.length);
        for (const q of [0, 0.5, 0.99, 1]) {
          expect(window.quantile(q)).toBe(sorted[Math.floor(q * (sorted.length - 1))]);
        }
      });
    }),
  );
});

test('one outlier never determines a quantile', () => {
  const window = new SampleWindow(100);
  for (let i = 0; i < 99; i++) window.record(1);
  window.record(1_000);
  expect(window.quantile(0.99)).toBe(1);
  expect(window.largest).toBe(1_000);
});
