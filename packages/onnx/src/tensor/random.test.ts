import { describe, expect, it } from 'vitest';
import { kaiming, seededRandom, xavier } from './random.ts';

function moments(values: Float32Array): { mean: number; variance: number; largest: number } {
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  const variance = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / values.length;
  return { mean, variance, largest: values.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
}

describe('seededRandom', () => {
  it('gives the same sequence for a seed in every version', () => {
    const random = seededRandom(42);
    const first = [random.next(), random.next(), random.next()];
    const again = seededRandom(42);
    expect([again.next(), again.next(), again.next()]).toEqual(first);
    expect(first.map((each) => Math.floor(each * 2 ** 32))).toMatchInlineSnapshot(`
      [
        2837322924,
        544945897,
        479756282,
      ]
    `);
  });

  it('gives other sequences for neighbouring seeds', () => {
    const firsts = Array.from({ length: 1000 }, (_, seed) => seededRandom(seed).next());
    expect(new Set(firsts).size).toBe(1000);
    expect(moments(Float32Array.from(firsts)).mean).toBeCloseTo(0.5, 1);
  });

  it('fills the interval evenly (chi-squared, 100 bins)', () => {
    const random = seededRandom(7);
    const bins = new Float64Array(100);
    for (let i = 0; i < 100_000; i++) bins[Math.floor(random.next() * 100)]!++;
    const chi = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // The 0.01% and 99.99% quantiles with 99 degrees of freedom.
    expect(chi).toBeGreaterThan(54);
    expect(chi).toBeLessThan(161);
  });
});

describe('initialisation', () => {
  it('has the variance that He et al. ask for', () => {
    const { mean, variance, largest } = moments(kaiming(seededRandom(1), 200_000, 50));
    expect(mean).toBeCloseTo(0, 2);
    expect(variance).toBeCloseTo(2 / 50, 3);
    expect(largest).toBeLessThanOrEqual(Math.fround(Math.sqrt(6 / 50)));
  });

  it('has the variance that Glorot and Bengio ask for', () => {
    const { variance } = moments(xavier(seededRandom(2), 200_000, 30, 70));
    expect(variance).toBeCloseTo(2 / 100, 3);
  });
});
