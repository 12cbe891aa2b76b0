import { describe, expect, it } from 'vitest';
import { TrainError } from '../train-error.ts';
import { epsilonOf, noiseFor } from './accountant.ts';
import type { GaussianSteps, Mechanism, Sampling } from './mechanism.ts';
import { upperTail } from './normal.ts';
import { rdpOf } from './rdp.ts';

function poisson(rate: number, noise: number, steps: number): GaussianSteps {
  return { kind: 'gaussian', noise, steps, sampling: { kind: 'poisson', rate } };
}

function all(noise: number, steps: number): GaussianSteps {
  return { kind: 'gaussian', noise, steps, sampling: { kind: 'all' } };
}

/** The exact ε of one Gaussian: Balle and Wang 2018, theorem 8, by bisection. */
function gaussianEpsilon(noise: number, delta: number): number {
  let [low, high] = [0, 200];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    const above = upperTail(middle * noise - 0.5 / noise);
    const below = Math.exp(middle) * upperTail(middle * noise + 0.5 / noise);
    if (above - below > delta) low = middle;
    else high = middle;
  }
  return high;
}

describe('published figures of Poisson sampling', () => {
  it.each([
    { rate: 0.04, noise: 1.5, steps: 2250, delta: 1e-5, rdp: 7.32911117, pld: 6.76879 },
    { rate: 0.0025, noise: 1.3, steps: 6000, delta: 1e-5, rdp: 0.7242234, pld: 0.640111 },
    { rate: 0.001, noise: 1, steps: 30_000, delta: 1e-7, rdp: 1.41549885, pld: 1.098199 },
  ])('$steps steps at rate $rate with noise $noise', ({ rate, noise, steps, delta, rdp, pld }) => {
    const spent = epsilonOf([poisson(rate, noise, steps)], delta);
    expect(Math.abs(spent.rdp.epsilon - rdp)).toBeLessThan(1e-6);
    expect(Math.abs(spent.pld! - pld)).toBeLessThan(1e-3);
    expect(spent.epsilon).toBe(spent.pld);
  });

  it.each([
    [1.5, 6.50071e-4],
    [5, 2.18075656e-3],
  ])('of order %s', (order, divergence) => {
    const relative = rdpOf(poisson(0.01, 2.5, 50), order) / divergence - 1;
    expect(Math.abs(relative)).toBeLessThan(1e-6);
  });
});

describe('Poisson sampling of integers as noise', () => {
  /** Rényi divergence of order α, by adding up all integers that matter. */
  function divergence(p: (x: number) => number, q: (x: number) => number, order: number): number {
    let sum = 0;
    for (let x = -1000; x <= 1000; x++) if (q(x) > 0) sum += q(x) * (p(x) / q(x)) ** order;
    return Math.log(sum) / (order - 1);
  }

  it.each([
    { deviation: 4, shift: 2, rate: 0.1, order: 2 },
    { deviation: 4, shift: 7, rate: 0.3, order: 5 },
    { deviation: 10, shift: 3, rate: 0.01, order: 16 },
    { deviation: 25, shift: 40, rate: 0.5, order: 3 },
  ])('spends what is summed up: %j', ({ deviation, shift, rate, order }) => {
    const weight = (x: number): number => Math.exp(-(x * x) / (2 * deviation ** 2));
    let whole = 0;
    for (let x = -1000; x <= 1000; x++) whole += weight(x);
    const without = (x: number): number => weight(x) / whole;
    const mixed = (x: number): number =>
      (1 - rate) * without(x) + (rate * weight(x - shift)) / whole;
    const found = rdpOf(
      {
        kind: 'discrete',
        noise: deviation / shift,
        steps: 1,
        sampling: { kind: 'poisson', rate },
      },
      order,
    );
    expect(found / divergence(mixed, without, order)).toBeCloseTo(1, 9);
    expect(divergence(without, mixed, order)).toBeLessThanOrEqual(found);
  });

  it('spends as much as a Gaussian of the same size', () => {
    const steps = { noise: 2, steps: 60, sampling: { kind: 'poisson', rate: 0.1 } } as const;
    const [integers, numbers] = (['discrete', 'gaussian'] as const).map(
      (kind) => epsilonOf([{ kind, ...steps }], 1e-3).rdp.epsilon,
    );
    expect(integers! / numbers!).toBeCloseTo(1, 2);
  });
});

describe('a Gaussian of all examples', () => {
  it.each([
    [0.7, 1, 1e-5],
    [1, 1, 1e-5],
    [20, 30, 1e-3],
    [50, 400, 1e-6],
  ])('with noise %s, %s times, spends the exact epsilon at delta %s', (noise, steps, delta) => {
    const exact = gaussianEpsilon(noise / Math.sqrt(steps), delta);
    const spent = epsilonOf([all(noise, steps)], delta);
    expect(spent.pld!).toBeGreaterThan(exact * (1 - 1e-5));
    expect(spent.pld! / exact).toBeLessThan(1 + 1e-5);
    expect(spent.rdp.epsilon).toBeGreaterThan(exact);
  });

  it('spends the same in parts', () => {
    const [parts, whole] = [[all(30, 10), all(30, 20)], [all(30, 30)]].map((mechanisms) =>
      epsilonOf(mechanisms, 1e-5),
    );
    expect(parts!.rdp.epsilon).toBeCloseTo(whole!.rdp.epsilon, 9);
    expect(parts!.pld).toBeCloseTo(whole!.pld!, 4);
  });
});

it('adds up different mechanisms to more than each and less than their sum', () => {
  const mechanisms: Mechanism[] = [poisson(0.01, 1.1, 500), all(8, 3)];
  const [together, ...alone] = [mechanisms, ...mechanisms.map((each) => [each])].map(
    (each) => epsilonOf(each, 1e-5).epsilon,
  );
  expect(together).toBeGreaterThan(Math.max(...alone));
  expect(together).toBeLessThan(alone.reduce((sum, each) => sum + each, 0));
});

it('spends more the more is sampled, and all at a rate of 1', () => {
  const spent = [0.01, 0.1, 0.5, 1].map((rate) => epsilonOf([poisson(rate, 2, 20)], 1e-5).epsilon);
  expect(spent).toEqual(spent.toSorted((a, b) => a - b));
  expect(spent.at(-1)).toBeCloseTo(epsilonOf([all(2, 20)], 1e-5).epsilon, 9);
});

it('bounds fixed-size sampling by the Rényi divergence alone', () => {
  const fixed = (sampling: Sampling) =>
    epsilonOf([{ kind: 'gaussian', noise: 2, steps: 100, sampling }], 1e-5);
  const [some, every] = [0.01, 1].map((rate) => fixed({ kind: 'fixed', rate }));
  expect(some!.pld).toBeUndefined();
  expect(some!.epsilon).toBe(some!.rdp.epsilon);
  expect(some!.epsilon).toBeLessThan(every!.epsilon / 4);
  // One example is replaced by another, which moves a sum by twice its norm.
  const half = epsilonOf([all(1, 100)], 1e-5).rdp.epsilon;
  expect(every!.epsilon).toBeCloseTo(half, 9);
});

describe('fixed-size sampling of a Gaussian', () => {
  const fixed = (kind: 'gaussian' | 'discrete', rate: number, noise: number, steps = 1) =>
    ({ kind, noise, steps, sampling: { kind: 'fixed', rate } }) as const;

  // Both bounds of Wang et al. 2019 with 600 digits in Python's decimal, the differences added up as they are defined.
  it.each([
    [0.1, 10, 32, 2.617993047890058e-2, 1.137522e-1],
    [0.1, 20, 64, 1.266798210912314e-2, 1.09808e-1],
    [0.01, 4, 16, 9.72968945125698e-4, 1.069952e-3],
    [0.3, 30, 128, 4.230366636491102e-2, 2.844444e-1],
    [0.01, 1, 8, 1.083596938474405e1, 1.083597e1],
    [0.25, 8, 9, 7.320190999395848e-2, 2.389064e-1],
    [0.1, 50, 256, 6.511809118304732e-3, 1.001557e-1],
  ])('at rate %s with noise %s, of order %s', (rate, noise, order, tight, theorem) => {
    expect(rdpOf(fixed('gaussian', rate, noise), order) / tight).toBeCloseTo(1, 12);
    // For integers as noise only an upper bound of the divergence is known, so that its differences bound nothing.
    expect(rdpOf(fixed('discrete', rate, noise), order) / theorem).toBeCloseTo(1, 5);
  });

  it('spends less than half of the bound of theorem 9 where noise is large', () => {
    const [tight, theorem] = (['gaussian', 'discrete'] as const).map(
      (kind) => epsilonOf([fixed(kind, 0.1, 20, 1000)], 1e-5).epsilon,
    );
    expect(tight! / theorem!).toBeLessThan(0.45);
  });

  it('bounds next to no noise too', () => {
    for (const noise of [0.03, 1e-5, 1e-160]) {
      expect(epsilonOf([fixed('gaussian', 0.5, noise)], 1e-5).epsilon).toBeGreaterThan(100);
    }
  });
});

it('counts the nodes above a leaf of a tree', () => {
  const tree = epsilonOf([{ kind: 'tree', noise: 10, steps: 1000 }], 1e-5);
  expect(tree.pld! / gaussianEpsilon(10 / Math.sqrt(10), 1e-5)).toBeCloseTo(1, 4);
});

it('spends nothing in no step', () => {
  expect(epsilonOf([poisson(0.1, 1, 0)], 1e-5)).toMatchObject({ epsilon: 0, pld: 0 });
});

describe('calibration', () => {
  it('finds the least noise within a budget', () => {
    const within = (noise: number) => epsilonOf([poisson(0.01, noise, 1000)], 1e-5).epsilon;
    const noise = noiseFor({ epsilon: 2, delta: 1e-5 }, (noise) => [poisson(0.01, noise, 1000)]);
    expect(within(noise)).toBeLessThanOrEqual(2);
    expect(within(noise * 0.999)).toBeGreaterThan(2);
  });

  it.each([
    { rate: 1e-4, steps: 100, epsilon: 0.01, delta: 1e-5 },
    { rate: 1, steps: 1, epsilon: 0.0036, delta: 1e-5 },
  ])('finds it where the bound takes far more: %j', ({ rate, steps, epsilon, delta }) => {
    const noise = noiseFor({ epsilon, delta }, (each) => [poisson(rate, each, steps)]);
    const within = (each: number) => epsilonOf([poisson(rate, each, steps)], delta).epsilon;
    expect(within(noise)).toBeLessThanOrEqual(epsilon);
    expect(within(noise * 0.999)).toBeGreaterThan(epsilon);
  });

  it('keeps to the bound where it is closer, over a billion steps', () => {
    const budget = { epsilon: 2, delta: 1e-5 };
    const noise = noiseFor(budget, (each) => [poisson(0.01, each, 1e9)]);
    const spent = epsilonOf([poisson(0.01, noise, 1e9)], budget.delta);
    expect(spent.epsilon).toBeLessThanOrEqual(2);
    expect(spent.epsilon).toBeGreaterThan(1.99);
  });

  it('uses the bound where nothing closer is known', () => {
    const fixed = (noise: number): Mechanism[] => [
      { kind: 'gaussian', noise, steps: 100, sampling: { kind: 'fixed', rate: 0.01 } },
    ];
    const noise = noiseFor({ epsilon: 1, delta: 1e-5 }, fixed);
    expect(epsilonOf(fixed(noise), 1e-5).epsilon).toBeLessThanOrEqual(1);
    expect(epsilonOf(fixed(noise * 0.999), 1e-5).epsilon).toBeGreaterThan(1);
  });
});

it.each([
  [[all(0, 1)], 1e-5, 'noise 0'],
  [[all(Number.NaN, 1)], 1e-5, 'noise NaN'],
  [[all(1, 1.5)], 1e-5, '1.5 is not a number of steps'],
  [[poisson(0, 1, 1)], 1e-5, 'sampling rate 0'],
  [[poisson(1.1, 1, 1)], 1e-5, 'sampling rate 1.1'],
  [[all(1, 1)], 0, 'delta 0'],
  [[all(1, 1)], 1, 'delta 1'],
])('refuses %j at delta %s', (mechanisms, delta, message) => {
  expect(() => epsilonOf(mechanisms, delta)).toThrow(TrainError);
  expect(() => epsilonOf(mechanisms, delta)).toThrow(message);
});

it('bounds by the formula of fixed-size samples a Poisson sample in which one update replaces another', () => {
  // ∫ p^α q^{1 − α} of p = (1 − r) N(0) + r N(1) and q = (1 − r) N(0) + r N(−1): two norms apart, with probability r.
  const divergence = (rate: number, noise: number, order: number): number => {
    const density = (x: number, mean: number) =>
      (1 - rate) * Math.exp(-(x ** 2) / (2 * noise ** 2)) +
      rate * Math.exp(-((x - mean) ** 2) / (2 * noise ** 2));
    const width = noise / 200;
    let sum = 0;
    for (let x = -order - 12 * noise; x <= order + 12 * noise; x += width) {
      sum += density(x, 1) * (density(x, 1) / density(x, -1)) ** (order - 1) * width;
    }
    return Math.log(sum / (noise * Math.sqrt(2 * Math.PI))) / (order - 1);
  };
  for (const rate of [0.01, 0.1, 0.5]) {
    for (const noise of [1, 2, 5, 30]) {
      for (const order of [2, 3, 6, 12]) {
        const sampling = { kind: 'fixed', rate } as const;
        const bound = rdpOf({ kind: 'gaussian', noise, sampling, steps: 1 }, order);
        expect(bound).toBeGreaterThanOrEqual(divergence(rate, noise, order) * (1 - 1e-6));
      }
    }
  }
});

it('finds that next to no noise spends much, with every sampling', () => {
  const mechanismsOf = (noise: number): Mechanism[] => [
    { kind: 'tree', noise, steps: 64 },
    all(noise, 8),
    poisson(0.5, noise, 8),
    { kind: 'discrete', noise, steps: 8, sampling: { kind: 'all' } },
    { kind: 'discrete', noise, steps: 8, sampling: { kind: 'poisson', rate: 0.5 } },
  ];
  let before = mechanismsOf(1).map((each) => epsilonOf([each], 1e-5).epsilon);
  for (const noise of [0.3, 0.1, 0.03, 0.01, 1e-3, 1e-5, 1e-160]) {
    const spent = mechanismsOf(noise).map((each) => epsilonOf([each], 1e-5).epsilon);
    spent.forEach((epsilon, i) => {
      expect(epsilon).toBeGreaterThanOrEqual(before[i]!);
      // A release of one example with noise σ costs about 1 / 2σ².
      expect(epsilon).toBeGreaterThanOrEqual(0.25 / noise ** 2);
    });
    before = spent;
  }
});

it('finds the noise of a budget that promises nothing', () => {
  const budget = { epsilon: 2000, delta: 1e-5 };
  const noise = noiseFor(budget, (each) => [all(each, 8)]);
  const spent = epsilonOf([all(noise, 8)], budget.delta).epsilon;
  expect(spent).toBeLessThanOrEqual(2000);
  expect(spent).toBeGreaterThan(1900);
});

it('composes losses beyond the range of e^x', () => {
  const { pld, rdp } = epsilonOf([poisson(0.5, 0.06, 8)], 1e-5);
  expect(rdp.epsilon).toBeGreaterThan(1000);
  expect(pld! / rdp.epsilon).toBeGreaterThan(0.95);
  expect(pld! / rdp.epsilon).toBeLessThanOrEqual(1);
});
