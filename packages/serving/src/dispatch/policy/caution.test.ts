import { seededRandom } from '@skein/onnx';
import { describe, expect, test } from 'vitest';
import { Caution } from './caution.ts';
import { inTime, poisson, simulate } from '../testing/simulation.ts';

describe('caution', () => {
  test('is zero as long as answers leave time', () => {
    const caution = new Caution();
    for (let i = 0; i < 1_000; i++) caution.note(0.06);
    expect(caution.share).toBe(0);
  });

  test('rises with a few close answers, stays bounded, and falls with many that are not', () => {
    const caution = new Caution();
    for (let i = 0; i < 3; i++) caution.note(-0.1);
    expect(caution.share).toBeCloseTo(0.16, 9);
    for (let i = 0; i < 100; i++) caution.note(0.01);
    expect(caution.share).toBe(0.5);
    for (let i = 0; i < 2_600; i++) caution.note(0.5);
    expect(caution.share).toBe(0);
  });

  test('settles at one close answer in a hundred', () => {
    const random = seededRandom(1);
    const caution = new Caution();
    let close = 0;
    let sum = 0;
    for (let i = 0; i < 40_000; i++) {
      // Close with a probability of 2 % without caution, and less with more.
      const isClose = random.next() < 0.02 * (1 - caution.share / 0.2);
      if (i >= 5_000) {
        sum += caution.share;
        if (isClose) close++;
      }
      caution.note(isClose ? 0 : 1);
    }
    expect(close / 35_000).toBeGreaterThan(0.007);
    expect(close / 35_000).toBeLessThan(0.013);
    expect(sum / 35_000).toBeGreaterThan(0.05);
  });

  test('under overload, keeps promises despite repeated slow periods, at no cost', () => {
    const [objectiveMs, durationMs] = [250, 20_000];
    let answered = 0;
    let late = 0;
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed);
      // Too short and too frequent to be a new pace: half of the time, runs take 40 % longer.
      const slowness = (now: number): number => (now % 500 < 250 ? 1.4 : 1);
      const arrivals = poisson(
        () => random.next(),
        3 / 24,
        durationMs,
        (at) => ({ at, budgetMs: objectiveMs }),
      );
      const { outcomes } = simulate(arrivals, {
        cost: (rows, _lane, now) => (4 + 20 * rows) * slowness(now) * (1 + 0.05 * random.next()),
        objectiveMs,
      });
      const done = outcomes.filter(({ state }) => state === 'answered');
      answered += done.length;
      late += done.length - inTime(done).length;
    }
    // Without caution, two in a hundred are late.
    expect(late / answered).toBeLessThan(0.005);
    // One row at a time takes 24 · 1.2 · 1.025 ms.
    expect((answered * 29.5) / (3 * durationMs)).toBeGreaterThan(0.97);
  });
});
