import { decodeSum, encodeUpdate, levelWidth, residueBits } from '@skein/train/federated';
import { seededRandom } from '@skein/onnx';
import { expect, it } from 'vitest';
import { completePlan } from '../plan/complete.ts';
import { encodingOf } from '../plan/encoding.ts';
import { spentAfter } from '../plan/spent.ts';
import { draft } from '../testing/plans.ts';
import { deviationOf } from './released.ts';

const counting = (more: object = {}) =>
  completePlan(
    draft({
      rounds: 1,
      strategy: { name: 'statistics', tables: [[{ kind: 'column', name: 'age', bins: 9 }]] },
      privacy: { mode: 'patient', epsilon: 1, delta: 1e-5 },
      sites: { minimum: 4, maximum: 4 },
      ...more,
    } as never),
  );

const seeded = (seed: number) => {
  const random = seededRandom(seed);
  const unit = () => random.next();
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => 256 * random.next());
  return { unit, bytes } as never;
};

it('has the noise of its budget in each count, of three sites or of four', () => {
  const plan = counting();
  const [spent] = spentAfter(plan, 1).slice(-1);
  expect(spent!.epsilon).toBeLessThanOrEqual(1);
  expect(spent!.epsilon).toBeGreaterThan(0.99);
  const encoding = encodingOf(plan, plan.model.parameters);
  for (const sites of [3, 4]) {
    const sums: number[] = [];
    for (let trial = 0; trial < 400; trial++) {
      const updates = Array.from({ length: sites }, (_, site) => {
        const numbers = Float64Array.from({ length: 10 }, (__, cell) => 10 * site + cell);
        return encodeUpdate({ numbers }, encoding);
      });
      const residues = updates[0]!.map((_, i) =>
        updates.reduce((sum, each) => (sum + each[i]!) % 2 ** residueBits(encoding), 0),
      );
      const { sum } = decodeSum(residues, encoding, sites);
      sum.forEach((each, cell) =>
        sums.push(each - 10 * ((sites * (sites - 1)) / 2) - sites * cell),
      );
    }
    const deviation = Math.sqrt(sums.reduce((all, each) => all + each ** 2, 0) / sums.length);
    expect(deviation / deviationOf(plan, sites)).toBeGreaterThan(0.95);
    expect(deviation / deviationOf(plan, sites)).toBeLessThan(1.05);
  }
});

it('moves by whole levels, the same for every rounding, so that rounding costs no noise', () => {
  const encoding = encodingOf(counting(), 10);
  const [few, more] = [new Float64Array(10).fill(7), new Float64Array(10).fill(7)];
  more[3]! += 1;
  const levels = 1 / levelWidth(encoding);
  expect(Number.isInteger(levels)).toBe(true);
  for (let seed = 0; seed < 50; seed++) {
    const [a, b] = [few, more].map((numbers) =>
      encodeUpdate({ numbers }, encoding, { noise: false, random: seeded(seed) }),
    );
    expect([...b!].map((each, i) => each - a![i]!)).toEqual([0, 0, 0, levels, 0, 0, 0, 0, 0, 0]);
  }
});

it('takes more noise for more attempts, for more tables, and for more rows of a patient', () => {
  const once = counting();
  const noiseOf = ({ privacy }: typeof once) => ('noise' in privacy ? privacy.noise : 0);
  const tables = [[{ kind: 'column', name: 'age', bins: 9 }], [{ kind: 'label' }]];
  const strategy = { name: 'statistics', tables: [tables[0]] };
  const twice = counting({ strategy: { ...strategy, attempts: 2 } });
  expect(noiseOf(twice) / noiseOf(once)).toBeGreaterThan(1.35);
  expect(deviationOf(counting({ strategy: { ...strategy, tables } }), 4)).toBeCloseTo(
    Math.SQRT2 * deviationOf(once, 4),
    9,
  );
  const patient = { column: 'id', rows: 3 };
  expect(deviationOf(counting({ strategy: { ...strategy, patient } }), 4)).toBeCloseTo(
    3 * deviationOf(once, 4),
    9,
  );
});

it('takes fewer rows of a site where the noise is too small for more, and encodes all the same', () => {
  const rangeOf = (noise: number, aggregation = {}) => {
    const privacy = { mode: 'patient', noise, epsilon: 1e6 };
    const plan = counting({ privacy, aggregation: { kind: 'pairwise', ...aggregation } });
    expect(encodingOf(plan, plan.model.parameters).noise!.variance).toBeGreaterThanOrEqual(16);
    return 'range' in plan.aggregation ? plan.aggregation.range : 0;
  };
  expect([10, 1, 0.1, 0.01].map((noise) => rangeOf(noise))).toEqual([4095, 4095, 511, 31]);
  expect(rangeOf(10, { range: 2000 })).toBe(2000);
  expect(rangeOf(10, { bits: 8 })).toBe(127);
});
