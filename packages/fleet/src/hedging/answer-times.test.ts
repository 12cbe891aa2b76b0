import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lognormal, seededRandom } from '../simulation/random.ts';
import { hedging } from '../tuning.ts';
import { newAnswerTimes } from './answer-times.ts';
import { hedgeAfterMs } from './hedge.ts';

test('the quantile of times that are all known is their nearest rank', () => {
  const lists = fc.array(fc.oneof(fc.nat(5), fc.nat(1000)), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), lists, (most, all) => {
      const times = newAnswerTimes(most);
      for (const [at, ms] of all.entries()) {
        times.answered(ms);
        const kept = all.slice(Math.max(0, at + 1 - most), at + 1).toSorted((a, b) => a - b);
        expect(times.count).toBe(kept.length);
        for (const share of [0, 0.01, 0.5, 0.95, 1]) {
          expect(times.quantile(share)).toBe(kept[Math.max(0, Math.ceil(share * kept.length) - 1)]);
        }
      }
    }),
  );
  expect(newAnswerTimes(3).quantile(0.5)).toBeNaN();
});

test('a cut time passes its weight on to the longer ones', () => {
  // The textbook's remission times of 6-MP (Freireich 1963): S(10) = 0.753, S(13) = 0.690, S(16) = 0.627, S(23) = 0.448.
  const times = newAnswerTimes(100);
  for (const ms of [6, 6, 6, 7, 10, 13, 16, 22, 23]) times.answered(ms);
  for (const ms of [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]) times.cancelled(ms);
  expect(times.count).toBe(21);
  const shares = [0.246, 0.248, 0.309, 0.311, 0.372, 0.374, 0.461, 0.463, 0.551, 0.553];
  expect(shares.map((share) => times.quantile(share))).toEqual([
    10, 13, 13, 16, 16, 22, 22, 23, 23, 35,
  ]);
});

test('a share that is reached is not missed by the sum of its fractions', () => {
  const times = newAnswerTimes(6);
  times.cancelled(1);
  for (const ms of [2, 3, 4, 5, 6]) times.answered(ms);
  expect([1, 2, 3, 4, 5].map((part) => times.quantile(part / 5))).toEqual([2, 3, 4, 5, 6]);
});

test('a cut time is forgotten in its turn', () => {
  const times = newAnswerTimes(2);
  times.cancelled(500);
  times.answered(10);
  expect(times.quantile(0.95)).toBe(500);
  times.answered(10);
  expect(times.quantile(0.95)).toBe(10);
});

describe('where all requests may be sent twice', () => {
  /** Times until the answer of a first copy, were it alone; the median of the second ones is `secondMs`. */
  function hedged(secondMs: number, isRunning: boolean) {
    const random = seededRandom(7);
    const times = newAnswerTimes(hedging.answers);
    let [longer, sum, longest] = [0, 0, 0];
    const count = 40_000;
    for (let i = 0; i < hedging.answers; i++) times.answered(40 * lognormal(random, 0.5));
    for (let i = 0; i < count; i++) {
      const firstMs = 40 * lognormal(random, 0.5);
      const afterMs = hedgeAfterMs(times, undefined)!;
      sum += afterMs;
      longest = Math.max(longest, afterMs);
      if (firstMs > afterMs) longer++;
      // A copy that only waits ends with the start of the second one, one that runs with its answer.
      const endsMs = afterMs + (isRunning ? secondMs * lognormal(random, 0.5) : 2);
      if (firstMs <= endsMs) times.answered(firstMs);
      else times.cancelled(endsMs);
    }
    return { longer: longer / count, meanMs: sum / count, longestMs: longest };
  }

  test.each([
    { secondMs: 40, isRunning: false },
    { secondMs: 400, isRunning: false },
    { secondMs: 4, isRunning: true },
    { secondMs: 400, isRunning: true },
  ])('the time before a hedge stays at the quantile of first copies alone: %o', (given) => {
    const { longer, meanMs, longestMs } = hedged(given.secondMs, given.isRunning);
    // Of 40 ms times a lognormal with σ = 0.5.
    const exactMs = 40 * Math.exp(1.6449 * 0.5);
    expect(Math.abs(meanMs / exactMs - 1)).toBeLessThan(0.04);
    expect(longestMs).toBeLessThan(1.6 * exactMs);
    expect(Math.abs(longer - 0.05)).toBeLessThan(0.01);
  });
});
