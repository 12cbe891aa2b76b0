/** Quantised models in ONNX Runtime, native and in WebAssembly, against the float model and node by node. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { activation } from '../layers/activation.ts';
import { averagePool, conv, globalAveragePool, maxPool } from '../layers/conv.ts';
import { dense } from '../layers/dense.ts';
import { residual, sequential } from '../layers/sequential.ts';
import { flatten } from '../layers/shape.ts';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { readModel, writeModel, type Model } from '../model/model.ts';
import { OnnxError } from '../onnx-error.ts';
import { seededRandom } from '../tensor/random.ts';
import { tensor, values, type NumericTensor, type TensorMap } from '../tensor/tensor.ts';
import { observe, rangesOf } from './calibration/calibrate.ts';
import { withOpen, type Evaluator } from './evaluator.ts';
import { joinBias } from './join-bias.ts';
import { layersOf } from './layers.ts';
import { FORMS, planAll, type Form } from './plan.ts';
import { quantise, valuesToCalibrate } from './rewrite.ts';
import { saturates } from './saturation.ts';
import { evaluators, native, nodeByNode } from './testing/evaluators.ts';

/** Convolutions with everything that can lie between them. */
const convolutional = (): Model =>
  sequential({
    input: { shape: [3, 12, 12] },
    layers: [
      conv({ filters: 16, kernel: 3, activation: 'relu' }),
      maxPool(),
      residual(
        conv({ filters: 16, kernel: 3, activation: 'relu' }),
        conv({ filters: 16, kernel: 3 }),
      ),
      activation('relu'),
      averagePool(),
      conv({ filters: 8, kernel: 3, groups: 8, activation: 'relu' }),
      globalAveragePool(),
      dense({ units: 10 }),
    ],
    seed: 3,
    opset: 21,
  });
const perceptron = (): Model =>
  sequential({
    input: { shape: [96] },
    layers: [
      dense({ units: 64, activation: 'relu' }),
      dense({ units: 40 }),
      flatten(),
      dense({ units: 10 }),
    ],
    seed: 5,
    opset: 21,
  });
const MODELS = { convolutional, perceptron };

function samplesOf(model: Model, count: number): readonly TensorMap[] {
  const random = seededRandom(7);
  const shape = model.graph!.input[0]!.type!.value;
  if (shape.case !== 'tensorType') throw new Error('not a tensor');
  const sizes = shape.value.shape!.dim.slice(1).map(({ value }) => Number(value.value));
  const each = 8 * sizes.reduce((product, size) => product * size, 1);
  return Array.from({ length: count }, () => {
    const numbers = Float32Array.from({ length: each }, () => 4 * random.next() - 2);
    return new Map([['x', tensor('float32', [8, ...sizes], numbers)]]);
  });
}

async function outputsOf(evaluator: Evaluator, model: Model, feeds: TensorMap): Promise<number[]> {
  const outputs = await withOpen(evaluator, model, (open) => open.run(feeds));
  return [...(values(outputs.get('y') as NumericTensor) as Float32Array)];
}

/** The norm of the differences over the norm of the wanted numbers. */
function distance(found: readonly number[], wanted: readonly number[]): number {
  const sum = (of: readonly number[]): number => of.reduce((total, each) => total + each * each, 0);
  return Math.sqrt(sum(found.map((each, at) => each - wanted[at]!)) / sum(wanted));
}

async function quantised(given: Model, form: Form): Promise<Model> {
  const model = joinBias(given);
  const plan = planAll(layersOf(model), form, 'stored8');
  const samples = samplesOf(model, 4);
  const observed = await observe(model, valuesToCalibrate(model, plan), samples, native);
  return quantise(model, plan, { ranges: rangesOf(observed, 'mse') });
}

/** Largest distance from the float model; a form of 4 bits has 16 times coarser steps. */
const FURTHEST: Readonly<Record<Form, number>> = {
  float: 1e-6,
  static: 0.05,
  dynamic: 0.03,
  stored8: 0.015,
  stored4: 0.15,
  block8: 0.015,
  block4: 0.15,
};
const bytesOf = (model: Model): number => writeModel(model).byteLength;

describe.each(Object.keys(MODELS) as (keyof typeof MODELS)[])('%s', (name) => {
  const model = MODELS[name]();
  const [feeds] = samplesOf(model, 1);

  it.each(FORMS)('in the form %s is near the float model, in both runtimes', async (form) => {
    const small = await quantised(model, form);
    checkModel(small);
    if (form !== 'float') expect(bytesOf(small)).toBeLessThan(bytesOf(model) * 0.75);
    const wanted = await outputsOf(native, model, feeds!);
    const asSpecified = await outputsOf(nodeByNode, small, feeds!);
    for (const evaluator of Object.values(evaluators)) {
      const found = await outputsOf(evaluator, small, feeds!);
      expect(distance(found, wanted)).toBeLessThan(FURTHEST[form]);
      // A kernel may round a tie elsewhere than the operators it replaces.
      expect(distance(found, asSpecified)).toBeLessThan(form === 'float' ? 1e-6 : 0.02);
    }
  });
});

describe('what ONNX Runtime makes of it', () => {
  const folder = testFolder();

  async function kernelsOf(model: Model): Promise<readonly string[]> {
    const path = join(folder, 'optimised.onnx');
    const session = await InferenceSession.create(writeModel(model), {
      graphOptimizationLevel: 'all',
      optimizedModelFilePath: path,
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    await session.release();
    return readModel(await readFile(path)).graph!.node.map(({ opType }) => opType);
  }

  it('computes static layers and all between them in integers', async () => {
    const kernels = await kernelsOf(await quantised(convolutional(), 'static'));
    const moved = new Set(['Transpose', 'Flatten', 'Identity']);
    expect(kernels.filter((each) => !moved.has(each))).toEqual([
      'QuantizeLinear',
      'QLinearConv',
      'NhwcMaxPool',
      'QLinearConv',
      'QLinearConv',
      'QLinearAdd',
      'QLinearAveragePool',
      'QLinearConv',
      'QLinearGlobalAveragePool',
      'QGemm',
    ]);
  });

  it.each([
    ['static', ['QuantizeLinear', 'QGemm', 'QGemm', 'QGemm']],
    [
      'dynamic',
      ['DynamicQuantizeMatMul', 'Relu', 'DynamicQuantizeMatMul', 'DynamicQuantizeMatMul'],
    ],
    ['stored8', ['FusedGemm', 'Gemm', 'Gemm']],
    ['stored4', ['FusedGemm', 'Gemm', 'Gemm']],
    ['block4', ['MatMulNBits', 'Sub', 'Relu', 'MatMulNBits', 'Sub', 'MatMulNBits', 'Sub']],
    ['block8', ['MatMulNBits', 'Sub', 'Relu', 'MatMulNBits', 'Sub', 'MatMulNBits', 'Sub']],
  ] as const)('fuses the products of %s', async (form, expected) => {
    const kernels = await kernelsOf(await quantised(perceptron(), form));
    expect(kernels.filter((each) => each !== 'Flatten' && each !== 'Identity')).toEqual(expected);
  });
});

it('does not change the given model', async () => {
  const model = joinBias(convolutional());
  const before = writeModel(model);
  await quantised(model, 'static');
  expect(writeModel(model)).toEqual(before);
});

it('leaves a value that float nodes read as it was, and stores shared weights once', async () => {
  const graph = new GraphBuilder('shared');
  graph.input('x', 'float32', ['n', 8]);
  const numbers = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
  graph.initializer('w', tensor('float32', [8, 8], numbers));
  graph.node('Sin', ['x'], {}, { outputs: ['s'], name: 's' });
  graph.node('MatMul', ['s', 'w'], {}, { outputs: ['a'], name: 'a' });
  graph.node('MatMul', ['a', 'w'], {}, { outputs: ['b'], name: 'b' });
  graph.node('Add', ['b', 's'], {}, { outputs: ['y'], name: 'y' });
  graph.output('y', 'float32', ['n', 8]);
  graph.output('a', 'float32', ['n', 8]);
  const model = graph.model({ opset: 21, irVersion: 10 });
  const plan = planAll(layersOf(model), 'static');
  const range = { low: -4, high: 4 };
  const small = quantise(model, plan, {
    ranges: new Map([
      ['s', range],
      ['a', range],
    ]),
  });
  checkModel(small);
  const { node, initializer, output } = small.graph!;
  expect(node.find(({ name }) => name === 'y')!.input).toEqual(['b', 's']);
  expect(node.find(({ name }) => name === 'a')!.input[0]).toBe('s/restored');
  expect(output.map(({ name }) => name)).toEqual(['y', 'a']);
  expect(initializer.filter(({ name }) => name.endsWith('int8'))).toHaveLength(1);
  const feeds = new Map([['x', tensor('float32', [1, 8], numbers.subarray(0, 8))]]);
  const [found, wanted] = await Promise.all(
    [small, model].map((each) => outputsOf(native, each, feeds)),
  );
  expect(distance(found!, wanted!)).toBeLessThan(0.05);
});

it('refuses weights that are not finite, and operator sets that lack a form', async () => {
  const broken = perceptron();
  const weights = broken.graph!.initializer.find(({ name }) => name === '1.weight')!;
  new DataView(weights.rawData.buffer, weights.rawData.byteOffset).setFloat32(8, NaN, true);
  for (const form of FORMS.filter((each) => each !== 'float')) {
    const plan = planAll(layersOf(broken), form);
    expect(() => quantise(broken, plan), form).toThrow(OnnxError);
    expect(() => quantise(broken, plan), form).toThrow("'1.weight' contains NaN at position 2");
  }
  const old = sequential({
    input: { shape: [32] },
    layers: [dense({ units: 8 })],
    seed: 1,
    opset: 17,
  });
  expect(() => quantise(old, planAll(layersOf(old), 'block4'))).toThrow(
    /opset 17; the form block4 of '\w+' needs opset 21/,
  );
});

it('finds no saturation where the oracle computes in floats', async () => {
  expect(await saturates(nodeByNode)).toBe(false);
  expect(typeof (await saturates(evaluators.wasm))).toBe('boolean');
});
