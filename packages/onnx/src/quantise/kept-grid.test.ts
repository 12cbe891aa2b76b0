/** Grids of an earlier version: kept where they fit, and what it costs. */
import { expect, it } from 'vitest';
import { dense } from '../layers/dense.ts';
import { sequential } from '../layers/sequential.ts';
import type { Model } from '../model/model.ts';
import { tensorOf } from '../model/protos.ts';
import { seededRandom } from '../tensor/random.ts';
import { values, type NumericTensor } from '../tensor/tensor.ts';
import { layersOf } from './layers.ts';
import { planAll, type Form } from './plan.ts';
import { quantise, valuesToCalibrate } from './rewrite.ts';

/** @param change of each weight, by its number and channel. */
function network(change: (weight: number, channel: number, random: number) => number): Model {
  const model = sequential({
    input: { shape: [64] },
    layers: [dense({ units: 32 }), dense({ units: 10 })],
    seed: 1,
    opset: 21,
  });
  const random = seededRandom(2);
  for (const proto of model.graph!.initializer) {
    const numbers = values(tensorOf(proto) as NumericTensor) as Float32Array;
    const inner = numbers.length / Number(proto.dims[0]);
    const next = numbers.map((each, i) =>
      change(each, Math.floor(i / inner), random.next() * 2 - 1),
    );
    proto.rawData = new Uint8Array(next.buffer);
  }
  return model;
}

function written(model: Model, form: Form, high: number, keep?: Model): Model {
  const plan = planAll(layersOf(model), form);
  const ranges = new Map(
    valuesToCalibrate(model, plan).map((name) => [name, { low: -high, high }]),
  );
  return quantise(model, plan, { ranges, keep });
}

function constants(model: Model, suffix: string): number[][] {
  return model
    .graph!.initializer.filter(({ name }) => name.endsWith(suffix))
    .map((proto) => Array.from(values(tensorOf(proto) as NumericTensor), Number));
}

const first = network((weight) => weight);
const later = network((weight, _, random) => weight + 0.002 * random);

it.each([
  ['stored8', '/factor'],
  ['dynamic', '/scale'],
  ['static', '/scale'],
] as const)('are kept by %s, so that integers differ by little', (form, suffix) => {
  const before = written(first, form, 2);
  const now = written(later, form, 2.1, before);
  const scalesOf = (model: Model) => constants(model, suffix).filter((each) => each.length !== 1);
  // Scales of the int32 bias are products of two others.
  expect(scalesOf(now)).toEqual(scalesOf(before));
  expect(scalesOf(written(later, form, 2.1))).not.toEqual(scalesOf(before));
  if (form === 'static') expect(constants(now, '/zero')).toEqual(constants(before, '/zero'));
  const integers = constants(before, '/int8');
  for (const [i, each] of constants(now, '/int8').entries()) {
    const largest = Math.max(...each.map((integer, at) => Math.abs(integer - integers[i]![at]!)));
    expect(largest).toBeLessThan(4);
  }
});

it('are given up by channels, and by activations, that they no longer fit', () => {
  const grown = network((weight, channel) =>
    channel === 0 ? weight * 2 : channel === 1 ? weight / 2 : weight,
  );
  const before = written(first, 'static', 2);
  const now = written(grown, 'static', 4, before);
  const alone = written(grown, 'static', 4);
  for (const [i, scales] of constants(now, 'weight/scale').entries()) {
    const [old, own] = [before, alone].map((model) => constants(model, 'weight/scale')[i]!);
    expect(scales.slice(0, 2)).toEqual(own!.slice(0, 2));
    expect(scales.slice(2)).toEqual(old!.slice(2));
  }
  const single = (model: Model) => constants(model, '/scale').filter((each) => each.length === 1);
  expect(single(now)).toEqual(single(alone));
  expect(single(now)).not.toEqual(single(before));
});
