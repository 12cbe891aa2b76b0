import { expect, test } from 'vitest';
import { lognormal, seededRandom } from '../simulation/random.ts';
import { hedging } from '../tuning.ts';
import { newAnswerTimes } from './answer-times.ts';
import { hedgeAfterMs, maySpend, savedAfter } from './hedge.ts';

/** Answer times as given, the last one last. */
function timesOf(...answers: readonly number[]) {
  const times = newAnswerTimes(hedging.answers);
  for (const tookMs of answers) times.answered(tookMs);
  return times;
}

test('about a twentieth takes longer than a request waits, soon after each change of the answer times', () => {
  const random = seededRandom(5);
  const times = newAnswerTimes(hedging.answers);
  for (const medianMs of [40, 400, 20]) {
    let longer = 0;
    for (let i = 0; i < 4000; i++) {
      const tookMs = medianMs * lognormal(random, 0.5);
      if (i >= hedging.answers && tookMs > hedgeAfterMs(times, undefined)!) longer++;
      times.answered(tookMs);
    }
    expect(longer / (4000 - hedging.answers)).toBeGreaterThan(0.04);
    expect(longer / (4000 - hedging.answers)).toBeLessThan(0.07);
  }
});

test('the answers of a cold start are forgotten with the first ones after it', () => {
  const times = newAnswerTimes(hedging.answers);
  for (let i = 0; i < 50; i++) times.answered(2000);
  for (let i = 0; i < hedging.answers; i++) times.answered(10);
  expect(hedgeAfterMs(times, undefined)).toBe(10);
  // A single one is forgotten as soon as it is less than a twentieth of them.
  const cold = timesOf(2000);
  let needed = 0;
  for (; hedgeAfterMs(cold, undefined)! > 10; needed++) cold.answered(10);
  expect(needed).toBe(Math.round(1 / (1 - hedging.quantile)) - 1);
});

test('a request waits for what its member predicted, and for what is usual there, before it is sent twice', () => {
  expect(hedgeAfterMs(undefined, undefined)).toBeUndefined();
  expect(hedgeAfterMs(timesOf(), undefined)).toBeUndefined();
  expect(hedgeAfterMs(undefined, 60)).toBe(60);
  expect(hedgeAfterMs(timesOf(), 60)).toBe(60);
  expect(hedgeAfterMs(timesOf(40), undefined)).toBe(40);
  expect(hedgeAfterMs(timesOf(40), 60)).toBe(60);
  expect(hedgeAfterMs(timesOf(40), 10)).toBe(40);
  expect(hedgeAfterMs(timesOf(0.2), 0.1)).toBe(hedging.leastMs);
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
