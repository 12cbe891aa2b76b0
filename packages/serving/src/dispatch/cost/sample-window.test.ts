import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SampleWindow } from './sample-window.ts';

test('quantiles are those of the newest samples, sorted', () => {
  const samples = fc.array(fc.record({ value: fc.nat(50), gap: fc.nat(400) }), { maxLength: 200 });
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 20 }), (arrivals, size) => {
      const window = new SampleWindow(size, 1_000);
      const kept: { value: number; at: number }[] = [];
      let now = 0;
      for (const { value, gap } of arrivals) {
        now += gap;
        window.record(value, now);
        while (kept.length > 0 && (now - kept[0]!.at > 1_000 || kept.length === size)) kept.shift();
        kept.push({ value, at: now });
        const sorted = kept.map((sample) => sample.value).sort((a, b) => a - b);
        expect(window.count).toBe(sorted.length);
        for (const q of [0, 0.5, 0.99, 1]) {
          expect(window.quantile(q)).toBe(sorted[Math.floor(q * (sorted.length - 1))]);
        }
      }
    }),
  );
});

test('one outlier never determines a quantile', () => {
  const window = new SampleWindow(100);
  for (let i = 0; i < 99; i++) window.record(1, i);
  window.record(1_000, 99);
  expect(window.quantile(0.99)).toBe(1);
  expect(window.largest).toBe(1_000);
});
