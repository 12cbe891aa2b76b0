import { expect, test } from 'vitest';
import { lognormal, seededRandom } from '../simulation/random.ts';
import { hedging } from '../tuning.ts';
import { type AnswerTime, answerTimeAfter, hedgeAfterMs, maySpend, savedAfter } from './hedge.ts';

test('the estimate of the answer time settles where about a twentieth takes longer, and follows a change', () => {
  const random = seededRandom(5);
  let estimate: AnswerTime | undefined;
  for (const medianMs of [40, 400, 20]) {
    let longer = 0;
    for (let i = 0; i < 4000; i++) {
      const tookMs = medianMs * lognormal(random, 0.5);
      if (i >= 2000 && tookMs > estimate!) longer++;
      estimate = answerTimeAfter(estimate, tookMs);
    }
    expect(longer / 2000).toBeGreaterThan(0.03);
    expect(longer / 2000).toBeLessThan(0.07);
  }
});

test('a request waits for what its member predicted, and for what is usual there, before it is sent twice', () => {
  expect(hedgeAfterMs(undefined, undefined)).toBeUndefined();
  expect(hedgeAfterMs(40, undefined)).toBe(40);
  expect(hedgeAfterMs(40, 60)).toBe(60);
  expect(hedgeAfterMs(40, 10)).toBe(40);
  expect(hedgeAfterMs(0.2, 0.1)).toBe(hedging.leastMs);
});

test('no more than the share is sent twice, and what was saved up', () => {
  let [saved, sent] = [0, 0];
  for (let i = 0; i < 10_000; i++) {
    saved = savedAfter(saved, 0.05);
    // Nothing is late at first; then everything is.
    if (i < 5000 || !maySpend(saved)) continue;
    saved -= 1;
    sent++;
  }
  expect(sent).toBeLessThanOrEqual(5000 * 0.05 + hedging.burst);
  expect(sent).toBeGreaterThan(5000 * 0.05);
});

test('hedges that are saved in fractions are as good as whole ones', () => {
  let saved = 0;
  // Their sum is a little less than one.
  for (let i = 0; i < 10; i++) {
    expect(maySpend(saved)).toBe(false);
    saved = savedAfter(saved, 0.1);
  }
  expect(maySpend(saved)).toBe(true);
});
