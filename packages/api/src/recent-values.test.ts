import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRecentValues } from './recent-values.ts';

it('has the quantiles of its newest values', () => {
  const values = fc.array(fc.oneof(fc.nat(5), fc.double({ min: 0, max: 100, noNaN: true })), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), values, (most, all) => {
      const recent = createRecentValues(most);
      for (const [at, value] of all.entries()) {
        recent.add(value);
        const kept = all.slice(Math.max(0, at + 1 - most), at + 1).toSorted((a, b) => a - b);
        expect(recent.count).toBe(kept.length);
        for (const fraction of [0, 0.01, 0.5, 0.95, 1])
          expect(recent.quantile(fraction)).toBe(
            kept[Math.max(0, Math.ceil(fraction * kept.length) - 1)],
          );
      }
    }),
  );
  expect(createRecentValues(3).quantile(0.5)).toBeNaN();
});
