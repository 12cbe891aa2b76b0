import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bodyBudget, countedBytes, defaultBodyBudget } from './body-budget.ts';

test('never holds more than it may, and releases all of it', () => {
  const step = fc.record({
    who: fc.nat({ max: 4 }),
    does: fc.constantFrom('take' as const, 'give' as const, 'release' as const),
    bytes: fc.nat({ max: 60 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = bodyBudget(100);
      const holds = Array.from({ length: 5 }, () => budget.hold('a'));
      /** A plain list of what each body holds. */
      const held = [0, 0, 0, 0, 0];
      const sum = () => held.reduce((total, bytes) => total + bytes, 0);
      for (const { who, does, bytes } of steps) {
        const hold = holds[who]!;
        if (does === 'take' && sum() + bytes > 100) {
          expect(() => hold.take(bytes)).toThrow(
            expect.objectContaining({ code: 'BODIES_TOO_LARGE', retryAfterMs: 1000 }),
          );
        } else if (does === 'take') {
          hold.take(bytes);
          held[who]! += bytes;
        } else if (does === 'give') {
          hold.give(bytes);
          held[who] = Math.max(0, held[who]! - bytes);
        } else {
          hold.release();
          held[who] = 0;
        }
        expect(budget.held).toBe(sum());
      }
      for (const hold of holds) hold.release();
      expect(budget.held).toBe(0);
    }),
  );
});

test('the largest body that is allowed fits, however small the machine', () => {
  expect(defaultBodyBudget(2 ** 50)).toBe(2 ** 51);
  expect(defaultBodyBudget(1)).toBeGreaterThan(2 ** 20);
});

test('a quarter is not counted, unless the largest body would not fit into the share of a tenant', () => {
  expect(countedBytes(1600, 64)).toBe(1200);
  expect(countedBytes(140, 64)).toBe(128);
  expect(countedBytes(100, 64)).toBe(100);
});
