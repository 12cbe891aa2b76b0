/** Comparing, timing and measuring variants: against numbers by hand, a clock that is set, and ONNX Runtime. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { conv, globalAveragePool } from '../../layers/conv.ts';
import { dense } from '../../layers/dense.ts';
import { sequential } from '../../layers/sequential.ts';
import { GraphBuilder } from '../../model/builder.ts';
import { checkModel } from '../../model/check.ts';
import { writeModel, type Model } from '../../model/model.ts';
import { seededRandom } from '../../tensor/random.ts';
import { tensor, type TensorMap } from '../../tensor/tensor.ts';
import type { Evaluator } from '../evaluator.ts';
import { native } from '../testing/evaluators.ts';
import { accuracyOf, answersOf, differenceOf } from './compare.ts';
import { measureVariants, type MeasureOptions } from './measure.ts';
import { timePair } from './time.ts';

const outputs = (numbers: readonly number[], shape: readonly number[]): TensorMap =>
  new Map([['y', tensor('float32', shape, Float32Array.from(numbers))]]);
const answering = (...all: TensorMap[]) =>
  answersOf(
    { run: async () => all.shift()!, close: async () => undefined },
    all.map(() => new Map()),
  );

describe('a difference', () => {
  it('is the root mean square over the norm of the wanted numbers, over all samples', async () => {
    const wanted = await answering(outputs([3, 0], [1, 2]), outputs([0, 4], [1, 2]));
    const found = await answering(outputs([3, 0.5], [1, 2]), outputs([0, 4], [1, 2]));
    expect(differenceOf(found, wanted)).toEqual({ error: 0.1, changed: 0 });
    expect(differenceOf(wanted, wanted)).toEqual({ error: 0, changed: 0 });
  });

  it('counts decisions that change, and those that are right', async () => {
    const wanted = await answering(outputs([3, 0, 0, 1, 5, 4, 2, 2.5], [4, 2]));
    const found = await answering(outputs([3, 0, 2, 1, 4, 5, 2, 2.5], [4, 2]));
    expect(wanted.decisions).toEqual([0, 1, 0, 1]);
    expect(differenceOf(found, wanted).changed).toBe(0.5);
    expect(accuracyOf(found.decisions!, [0, 0, 0, 1])).toBe(0.75);
  });

  it('takes a probability as a decision from a half on, and other single numbers as none', async () => {
    expect((await answering(outputs([0.5, 0.49], [2, 1]))).decisions).toEqual([1, 0]);
    expect((await answering(outputs([0.5, 2], [2, 1]))).decisions).toBeUndefined();
  });

  it('is not a number where the variant gives none, and refuses other shapes', async () => {
    const wanted = await answering(outputs([1, 2], [1, 2]));
    expect(differenceOf(await answering(outputs([NaN, 2], [1, 2])), wanted).error).toBeNaN();
    const other = await answering(outputs([1, 2], [2, 1]));
    expect(() => differenceOf(other, wanted)).toThrow("'y' has another shape");
  });
});

describe('the time of a pair', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('compares lower quartiles, so that interrupted runs and a slower machine do not count', async () => {
    let now = 0;
    let runs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const random = seededRandom(4);
    const model = (name: string) => new GraphBuilder(name).model();
    const evaluator: Evaluator = {
      open: async ({ graph }) => ({
        async run() {
          runs += 1;
          const slowdown = 1 + runs / 1000;
          const interrupted = random.next() < 0.3 ? 40 : 0;
          now += (graph!.name === 'float' ? 4 : 3) * slowdown + interrupted;
          return new Map();
        },
        close: async () => undefined,
      }),
    };
    const timing = await timePair(evaluator, model('float'), model('variant'), new Map(), 2000);
    expect(timing.ratio).toBeCloseTo(0.75, 1);
    expect(timing.pairs).toBeGreaterThan(16);
    expect(timing.ms / timing.floatMs).toBe(timing.ratio);
  });
});

const perceptron = (): Model =>
  sequential({
    input: { shape: [64] },
    layers: [dense({ units: 96, activation: 'relu' }), dense({ units: 10 })],
    seed: 2,
    opset: 17,
  });

function optionsFor(size: readonly number[], more: Partial<MeasureOptions> = {}): MeasureOptions {
  const random = seededRandom(5);
  const batch = (): TensorMap => {
    const shape = [16, ...size];
    const count = shape.reduce((product, each) => product * each, 1);
    const numbers = Float32Array.from({ length: count }, () => 2 * random.next() - 1);
    return new Map([['x', tensor('float32', shape, numbers)]]);
  };
  const samples = Array.from({ length: 6 }, batch);
  return {
    evaluators: { native },
    target: 'native',
    calibration: samples.slice(0, 3),
    held: { samples: samples.slice(3) },
    timed: samples[0]!,
    timingMs: 1,
    maxError: 1,
    ...more,
  };
}

describe('the variants of a model', () => {
  it('are smaller, and near the float model, also from an older operator set', async () => {
    const model = perceptron();
    const report = await measureVariants(model, optionsFor([64]));
    expect(report.variants.map(({ name, reason }) => [name, reason])).toEqual([
      ['int8', undefined],
      ['int8-dynamic', undefined],
      ['int8-blocks', undefined],
      ['int8-stored', undefined],
      ['int4', undefined],
      ['int4-stored', undefined],
    ]);
    for (const { name, built } of report.variants) {
      checkModel(built!.model);
      expect(built!.bytes).toBe(writeModel(built!.model).byteLength);
      expect(built!.bytes).toBeLessThan(report.float.bytes * (name.startsWith('int4') ? 0.4 : 0.5));
      expect(built!.quality.error).toBeGreaterThan(0);
      expect(built!.quality.error).toBeLessThan(name.startsWith('int4') ? 0.2 : 0.03);
      expect(Object.keys(built!.timings)).toEqual(['native']);
    }
  });

  it('measure accuracy and the fall of a golden set where rows have labels', async () => {
    const options = optionsFor([64]);
    const labels = Array.from({ length: 48 }, (_, at) => at % 10);
    const golden = { samples: options.calibration!, labels };
    const held = { ...options.held, labels };
    const { float, variants } = await measureVariants(perceptron(), { ...options, held, golden });
    for (const { built } of variants) {
      expect(built!.quality.accuracy).toBeCloseTo(float.accuracy!, 1);
      // Points are whole rows of 48.
      expect((built!.drop! * 48) / 100).toBeCloseTo(Math.round((built!.drop! * 48) / 100), 6);
    }
  });

  it('are listed with the reason where they cannot be built or run', async () => {
    const model = sequential({
      input: { shape: [3, 8, 8] },
      layers: [conv({ filters: 16, kernel: 3 }), globalAveragePool()],
      seed: 1,
    });
    const refusing: Evaluator = {
      open: async (each) => {
        if (each.graph!.node.some(({ opType }) => opType === 'QuantizeLinear')) {
          throw new Error('there is no kernel for QuantizeLinear.');
        }
        return native.open(each);
      },
    };
    const without = { calibration: undefined };
    const first = await measureVariants(model, optionsFor([3, 8, 8], without));
    expect(Object.fromEntries(first.variants.map(({ name, reason }) => [name, reason]))).toEqual({
      int8: 'the ranges of its activations need rows',
      'int8-dynamic': 'no layer can have this form',
      'int8-blocks': 'no layer can have this form',
      'int8-stored': undefined,
      int4: 'no layer can have this form',
      'int4-stored': undefined,
    });
    const evaluators = { native, other: refusing };
    const second = await measureVariants(model, optionsFor([3, 8, 8], { evaluators }));
    const int8 = second.variants.find(({ name }) => name === 'int8')!;
    expect(int8.notRun).toEqual({ other: 'there is no kernel for QuantizeLinear' });
    expect(Object.keys(int8.built!.timings)).toEqual(['native']);
  });
});
