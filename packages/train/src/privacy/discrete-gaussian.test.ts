import { describe, expect, it } from 'vitest';
import { discreteGaussian } from './discrete-gaussian.ts';
import { secureRandom } from './secure-random.ts';

/** Exact probabilities of −reach … reach. */
function exact(variance: number, reach: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * variance)),
  );
  const total = weights.reduce((sum, each) => sum + each, 0);
  return weights.map((each) => each / total);
}

describe('the discrete Gaussian', () => {
  it.each([1, 2, 16, 100])('of variance %s has the exact probabilities', (variance) => {
    const count = 60_000;
    const reach = Math.ceil(8 * Math.sqrt(variance));
    const noise = discreteGaussian(variance);
    const seen = new Float64Array(2 * reach + 1);
    for (let i = 0; i < count; i++) {
      const at = noise.sample() + reach;
      seen[at] = seen[at]! + 1;
    }
    // Pearson's statistic over the values that are expected ten times or more.
    let [statistic, cells] = [0, 0];
    exact(variance, reach).forEach((p, i) => {
      if (p * count < 10) return;
      statistic += (seen[i]! - p * count) ** 2 / (p * count);
      cells++;
    });
    // A statistic beyond six deviations comes once in a hundred million runs.
    expect(statistic).toBeLessThan(cells + 6 * Math.sqrt(2 * cells) + 12);
  });

  it('of a large variance has its mean and deviation', () => {
    const variance = 2560 ** 2;
    const noise = discreteGaussian(variance);
    const samples = Array.from({ length: 20_000 }, () => noise.sample());
    const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length;
    const square = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    expect(Math.abs(mean)).toBeLessThan((6 * 2560) / Math.sqrt(20_000));
    expect(Math.abs(square / variance - 1)).toBeLessThan(6 * Math.sqrt(2 / 20_000));
  });

  it.each([0, -1, 2.5, NaN, 2 ** 50])('refuses the variance %s', (variance) => {
    expect(() => discreteGaussian(variance)).toThrow('not a whole number');
  });
});

describe('secure random numbers', () => {
  it('use every byte once', () => {
    let next = 0;
    const random = secureRandom((into) => {
      const words = new Uint32Array(into.buffer);
      words.forEach((_, i) => (words[i] = next++));
    });
    const drawn = Array.from({ length: 40_000 }, () => random.uint32());
    expect(drawn).toEqual(drawn.map((_, i) => i));
  });

  it('are drawn below a bound without bias', () => {
    // 2³² mod 3 is 1: the one word too many is drawn again.
    const words = [2 ** 32 - 1, 5, 7];
    const random = secureRandom((into) => new Uint32Array(into.buffer).set(words));
    expect([random.below(3), random.below(3)]).toEqual([2, 1]);
  });

  it('have 53 bits in [0, 1)', () => {
    const random = secureRandom((into) => void into.fill(255));
    expect(random.unit()).toBe(1 - 2 ** -53);
  });
});
