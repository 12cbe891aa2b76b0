import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { descend, type Descent } from '../testing/quadratic.ts';
import { adagrad } from './adagrad.ts';
import { adam, adamW } from './adam.ts';
import type { Clipping } from './clip.ts';
import { lion } from './lion.ts';
import { OPTIMISER_NAMES, type OptimiserName, OPTIMISERS } from './optimisers.ts';
import { rmsprop } from './rmsprop.ts';
import { sgd } from './sgd.ts';

interface Fixture {
  readonly steps: number;
  readonly start: { readonly w: number[][]; readonly b: number[] };
  readonly curvature: { readonly w: number[][]; readonly b: number[] };
  readonly cases: readonly {
    readonly optimiser: OptimiserName;
    readonly options: object;
    readonly rate: number;
    readonly clip: Clipping | null;
    readonly end: { readonly w: number[]; readonly b: number[] };
  }[];
}

const fixture = JSON.parse(
  readFileSync(new URL('fixtures/pytorch.json', import.meta.url), 'utf8'),
) as Fixture;

const bowl = [{ name: 'p', shape: [3], start: [1, -2, 3], curvature: [1, 10, 0.5] }];
const constant = (rate: number, steps: number) => Array.from({ length: steps }, () => rate);
const largestError = (got: readonly number[], wanted: readonly number[]) =>
  Math.max(...wanted.map((each, i) => Math.abs(each - got[i]!)));

describe('five steps down ½ Σ a p² in float64', () => {
  it.each([
    [sgd(), [0.59049, 0, 2.3213428125]],
    [adam(), [0.507963661927, -1.502955780257, 2.501779458793]],
    [adamW({ weightDecay: 0.01 }), [0.504080092747, -1.494045693023, 2.487869312142]],
  ])('$name reaches the tabled numbers', async (optimiser, wanted) => {
    const { p } = await descend(bowl, { optimiser, rates: constant(0.1, 5) });
    expect(largestError(p!, wanted)).toBeLessThan(1e-12);
  });
});

describe.each(OPTIMISER_NAMES)('%s, by its name', (name) => {
  const { make, rate } = OPTIMISERS[name];

  it('is the name of its rule, and comes nearer to the minimum at its own rate', async () => {
    const optimiser = make({ weightDecay: 0 });
    expect(optimiser.name).toBe(name);
    const { p } = await descend(bowl, { optimiser, rates: constant(rate, 20) });
    for (const [i, start] of bowl[0]!.start.entries()) {
      expect(Math.abs(p![i]!)).toBeLessThan(Math.abs(start));
    }
  });

  it('refuses a weight decay below zero', () => {
    expect(() => make({ weightDecay: -1 })).toThrow('weightDecay must be at least 0, but is -1.');
  });
});

describe('PyTorch’s paths', () => {
  const parameters = (['w', 'b'] as const).map((name) => ({
    name,
    shape: name === 'w' ? [2, 3] : [2],
    start: fixture.start[name].flat(),
    curvature: fixture.curvature[name].flat(),
  }));
  it.each(fixture.cases)('$optimiser $options $clip', async (each) => {
    const descent: Descent = {
      optimiser: OPTIMISERS[each.optimiser].make(each.options),
      rates: constant(each.rate, fixture.steps),
      ...(each.clip === null ? {} : { clip: each.clip }),
    };
    const exact = await descend(parameters, descent);
    const single = await descend(parameters, { ...descent, type: 'float32' });
    for (const name of ['w', 'b'] as const) {
      expect(largestError(exact[name]!, each.end[name])).toBeLessThan(1e-12);
      expect(largestError(single[name]!, each.end[name])).toBeLessThan(2e-6);
    }
  });
});

describe('lion', () => {
  it('follows its published program', async () => {
    const decay = fc.double({ min: 0, max: 0.5, noNaN: true });
    const beta = fc.double({ min: 0, max: 0.99, noNaN: true });
    await fc.assert(
      fc.asyncProperty(beta, beta, decay, async (beta1, beta2, weightDecay) => {
        const optimiser = lion({ beta1, beta2, weightDecay });
        const { p } = await descend(bowl, { optimiser, rates: [0.1, 0.2, 0.05, 0.1] });
        const wanted = [1, -2, 3];
        const mean = [0, 0, 0];
        for (const rate of [0.1, 0.2, 0.05, 0.1]) {
          for (const i of [0, 1, 2]) {
            const slope = bowl[0]!.curvature[i]! * wanted[i]!;
            const update = Math.sign(beta1 * mean[i]! + (1 - beta1) * slope);
            wanted[i]! -= rate * (update + weightDecay * wanted[i]!);
            mean[i] = beta2 * mean[i]! + (1 - beta2) * slope;
          }
        }
        expect(largestError(p!, wanted)).toBeLessThan(1e-12);
      }),
      { numRuns: 15, seed: 7 },
    );
  });
});

it('takes the learning rate of each step, so that a schedule is an input', async () => {
  const { p } = await descend(bowl, { optimiser: sgd(), rates: [0.1, 0, 0.05] });
  expect(largestError(p!, [0.9 * 0.95, 0, 3 * 0.95 * 0.975])).toBeLessThan(1e-12);
});

it('refuses options out of their range by name', () => {
  expect(() => sgd({ momentum: 1 })).toThrow('momentum must be in [0, 1), but is 1.');
  expect(() => adam({ beta2: -0.1 })).toThrow('beta2 must be in [0, 1), but is -0.1.');
  expect(() => adamW({ weightDecay: NaN })).toThrow('weightDecay must be at least 0, but is NaN.');
  expect(() => rmsprop({ alpha: 1 })).toThrow('alpha');
  expect(() => adagrad({ epsilon: -1 })).toThrow('epsilon');
  expect(() => lion({ beta1: 2 })).toThrow('beta1');
});

it('refuses a bound for clipping that is not above zero', async () => {
  const descent = { optimiser: sgd(), rates: [0.1], clip: { norm: 0 } };
  await expect(descend(bowl, descent)).rejects.toThrow('clip must be at least');
});
