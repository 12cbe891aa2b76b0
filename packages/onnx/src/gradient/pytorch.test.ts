/**
 * PyTorch as the oracle: models that it exported and single nodes, and the loss and gradients that it
 * computed for them (scripts/make-gradient-fixtures.py). Every parameter and every input to 1e-4, relative to the
 * largest gradient of its tensor.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readModel, type Model } from '../model/model.ts';
import { tensorOf } from '../model/protos.ts';
import { signatureOf } from '../model/signature.ts';
import { values, type NumericTensor } from '../tensor/tensor.ts';
import { ortSession, OrtTensor } from '../testing/ort.ts';
import { gradient, gradientName } from './gradient.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/gradients');
const RELATIVE = 1e-4;

/** The results of PyTorch, by `input:…`, `gradient:…` and `loss`. */
function expectedOf(path: string): ReadonlyMap<string, NumericTensor> {
  const { initializer } = readModel(readFileSync(path)).graph!;
  return new Map(initializer.map((each) => [each.name, tensorOf(each) as NumericTensor] as const));
}

function starting(
  all: ReadonlyMap<string, NumericTensor>,
  prefix: string,
): [string, NumericTensor][] {
  return [...all].flatMap(([name, value]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), value] as [string, NumericTensor]] : [],
  );
}

async function run(
  model: Model,
  inputs: readonly [string, NumericTensor][],
): Promise<Readonly<Record<string, OrtTensor>>> {
  const session = await ortSession(model);
  const feeds = inputs.map(([name, { type, shape, ...rest }]) => {
    const data = values({ type, shape, ...rest });
    return [name, new OrtTensor(type as 'float32', data as Float32Array, [...shape])];
  });
  const results = await session.run(Object.fromEntries(feeds) as Record<string, OrtTensor>);
  await session.release();
  return results;
}

/** The places where a result differs from PyTorch's. */
function differences(found: OrtTensor, expected: NumericTensor, title: string): string[] {
  const wanted = Array.from(values(expected), Number);
  const scale = Math.max(1e-3, ...wanted.map(Math.abs));
  if (found.dims.join() !== expected.shape.join()) {
    return [`${title}: shape [${found.dims.join()}], not [${expected.shape.join()}]`];
  }
  return Array.from(found.data as Float32Array).flatMap((value, i) =>
    Math.abs(value - wanted[i]!) / scale < RELATIVE
      ? []
      : [`${title}[${i}]: ${value}, not ${wanted[i]}`],
  );
}

function casesOf(kind: string): readonly string[] {
  return readdirSync(join(FOLDER, kind))
    .filter((file) => file.endsWith('.expected.onnx'))
    .map((file) => file.replace('.expected.onnx', ''));
}

/** Operators with a documented gradient, each compared with PyTorch separately. */
const PROMISED = `
  Add Sub Mul Div Neg Abs Pow Sqrt Exp Log Sin Cos Erf Tanh Sigmoid Relu LeakyRelu Elu Selu Gelu Softplus
  HardSigmoid HardSwish Clip Min Max Where Cast Identity MatMul Gemm Einsum Conv ConvTranspose MaxPool
  AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization InstanceNormalization LayerNormalization
  GroupNormalization Dropout Softmax LogSoftmax ReduceSum ReduceMean ReduceMax ReduceMin ReduceLogSumExp
  ReduceL2 Reshape Flatten Transpose Squeeze Unsqueeze Concat Split Slice Pad Expand Tile Gather
  GatherElements GatherND ScatterND Resize LSTM GRU`
  .trim()
  .split(/\s+/);

it('has a case of its own for every documented operator', () => {
  const found = new Set(
    ['single', 'operators'].flatMap((kind) =>
      casesOf(kind).flatMap((name) => {
        const { node } = readModel(readFileSync(join(FOLDER, kind, `${name}.onnx`))).graph!;
        return node.map(({ opType }) => opType);
      }),
    ),
  );
  expect(PROMISED.filter((operator) => !found.has(operator))).toEqual([]);
});

describe.each(['single', 'operators', 'models'])('%s', (kind) => {
  it.each(casesOf(kind))('%s', async (name) => {
    const model = readModel(readFileSync(join(FOLDER, kind, `${name}.onnx`)));
    const expected = expectedOf(join(FOLDER, kind, `${name}.expected.onnx`));
    const given = new Set(signatureOf(model).inputs.map((input) => input.name));
    const gradients = starting(expected, 'gradient:');
    const [inputs, parameters] = [true, false].map((isInput) =>
      gradients.flatMap(([each]) => (given.has(each) === isInput ? [each] : [])),
    );
    const differentiated = gradient(model, {
      loss: 'loss',
      parameters: parameters!,
      inputs: inputs!,
    });
    // The exporter drops inputs that nothing reads.
    const feeds = starting(expected, 'input:').filter(([each]) => given.has(each));
    const results = await run(differentiated, feeds);
    const flaws = differences(results['loss']!, expected.get('loss')!, 'loss');
    for (const [each, value] of gradients) {
      flaws.push(...differences(results[gradientName(each)]!, value, each));
    }
    expect(gradients.length).toBeGreaterThan(0);
    expect(flaws).toEqual([]);
  });
});
