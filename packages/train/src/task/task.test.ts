/**
 * Small data through every path of assembly: the result must take raw rows and describe its
 * outputs.
 */
import {
  GraphBuilder,
  mlp,
  seededRandom,
  signatureOf,
  tensor,
  values,
  writeModel,
  type Model,
} from '@skein/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { selectRows, splitRows } from '../data/dataset.ts';
import { adam } from '../optimisers/adam.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { constant } from '../schedules/schedule.ts';
import { assemble, type AssembleOptions, type NetworkBuilder } from './assemble.ts';
import { withBatch } from './batch-axis.ts';
import { blueprintOf } from './blueprint.ts';
import { problemOf, rowsFor, type ProblemOptions } from './problem.ts';
import { lossFor, suggestedTask } from './task.ts';
import { trainTask } from './train-task.ts';
import { rowsOf, type TrainingData } from './training-data.ts';
import { readCsv } from '../data/table/read-table.ts';

const network: NetworkBuilder = ({ inputs, outputs, seed }) =>
  mlp({ sizes: [inputs, 8, outputs], seed });
const BATCH = 16;

/** y = 500 + 40·a − 30·b + 100 for red; its side is whether that is above 500. */
async function table(label: string, change = (line: string) => line): Promise<TrainingData> {
  const random = seededRandom(6);
  const lines = Array.from({ length: 120 }, (_, i) => {
    const [a, b] = [random.next() * 4 - 2, random.next() * 2 - 1];
    const red = i % 3 === 0;
    const y = 500 + 40 * a - 30 * b + (red ? 100 : 0);
    return `${a},${b},${red ? 'red' : 'blue'},${y},${Number(y > 510)}`;
  });
  const text = ['a,b,colour,y,side', ...lines.map(change)].join('\n');
  const read = await readCsv(new TextEncoder().encode(text), { missing: 'keep' });
  return { from: 'table', table: read, label, features: ['a', 'b', 'colour'] };
}

async function trained(
  options: Pick<AssembleOptions, 'model' | 'data'> & Partial<AssembleOptions>,
  {
    rate = 0.02,
    epochs = 30,
    ...problem
  }: Partial<ProblemOptions> & { rate?: number; epochs?: number } = {},
) {
  const [rows, others] = splitRows(rowsOf(options.data), { share: 0.8, seed: 3 });
  const start = assemble({ rows, seed: 3, ...options });
  const made = problemOf(start, { batch: BATCH, ...problem });
  const all = rowsFor(start, options.data);
  return trainTask(start, made, {
    backend: nativeBackend,
    training: selectRows(all, rows),
    validation: selectRows(all, others),
    batch: BATCH,
    optimiser: adam(),
    schedule: constant(rate),
    epochs,
    seed: 3,
    ...(problem.frozen === undefined ? {} : { frozen: problem.frozen }),
  });
}

/** The first output for raw rows, as a client sends them: the columns a, b and colour. */
async function answer(
  model: Model,
  rows: readonly (readonly [a: number, b: number, colour: string])[],
): Promise<number[]> {
  const session = await InferenceSession.create(writeModel(model));
  const numbers = (at: 0 | 1) =>
    new Tensor(
      'float32',
      Float32Array.from(rows, (row) => row[at]),
      [rows.length],
    );
  const colour = new Tensor(
    'string',
    rows.map((row) => row[2]),
    [rows.length],
  );
  const results = await session.run({ a: numbers(0), b: numbers(1), colour });
  await session.release();
  return Array.from(results[session.outputNames[0]!]!.data as Float32Array);
}

describe('from a table', () => {
  it('a regression answers in the unit of its labels', async () => {
    const { model, report } = await trained({ model: network, data: await table('y') });
    expect(report).toMatchObject({ kind: 'regression' });
    expect(report?.kind === 'regression' && report.rmse).toBeLessThan(8);
    const [red, blue] = await answer(model, [
      [1, 0.5, 'red'],
      [-1, 0, 'blue'],
    ]);
    expect(red).toBeCloseTo(500 + 40 - 15 + 100, -1.5);
    expect(blue).toBeCloseTo(460, -1.5);
  });

  it('numbers that count classes make a classification, with names for the probabilities', async () => {
    const { model, report } = await trained({ model: network, data: await table('side') });
    expect(blueprintOf(model)).toMatchObject({ task: 'classification', classes: ['0', '1'] });
    expect(report?.kind === 'classification' && report.accuracy).toBeGreaterThan(0.9);
    const [p0, p1] = await answer(model, [[2, -1, 'red']]);
    expect(p0! + p1!).toBeCloseTo(1, 5);
    expect(p1).toBeGreaterThan(0.9);
  });

  it('a binary task has one probability', async () => {
    const data = await table('side');
    const { model, report } = await trained({ model: network, data, task: 'binary' });
    expect(report).toMatchObject({ kind: 'classification' });
    const [high, low] = await answer(model, [
      [2, -1, 'red'],
      [-2, 1, 'blue'],
    ]);
    expect(high).toBeGreaterThan(0.9);
    expect(low).toBeLessThan(0.1);
  });

  it('fills in missing values, in training and in serving', async () => {
    const data = await table('y', (line) => line.replace(/^1\.[0-4]\d*,/, ','));
    await expect(trained({ model: network, data })).rejects.toThrow(/^Row \d+ has no 'a'\.$/);
    const { model } = await trained({ model: network, data, missing: 'mean' }, { epochs: 3 });
    const mean = blueprintOf(model)!.table!.features[0]!;
    const filled = mean.kind === 'number' ? mean.fill! : NaN;
    const [absent, given, unknown] = await answer(model, [
      [NaN, 0.3, 'blue'],
      [filled, 0.3, 'blue'],
      [filled, 0.3, 'violet'],
    ]);
    expect(absent).toBeCloseTo(given!, 4);
    expect(Number.isFinite(unknown)).toBe(true);
  });

  it('refuses numbers beyond the range of the inputs as such, also where missing ones are filled in', async () => {
    const data = await table('side', (line) => line.replace(/^1\.[0-4]\d*,/, '1e39,'));
    for (const missing of [undefined, 'mean'] as const) {
      await expect(trained({ model: network, data, missing })).rejects.toThrow(
        /^Row \d+ has a 'a' beyond ±3\.4e38, the range of float32\.$/,
      );
    }
  });

  it('trains its own result further, with the stored scales', async () => {
    const data = await table('y');
    const first = await trained({ model: network, data });
    const further = await trained({ model: first.model, data }, { rate: 1e-5, epochs: 1 });
    expect(further.epochs[0]!.loss).toBeLessThan(first.epochs[5]!.loss);
    expect(blueprintOf(further.model)).toEqual(blueprintOf(first.model));
  });
});

describe('from arrays', () => {
  const images = tensor(
    'uint8',
    [40, 2, 2],
    Uint8Array.from({ length: 160 }, (_, i) => (i % 8) * 30),
  );
  const labels = tensor(
    'uint8',
    [40],
    Uint8Array.from({ length: 40 }, (_, i) => i % 2),
  );
  const data: TrainingData = { from: 'arrays', inputs: new Map([['x', images]]), labels };

  it('a network takes bytes, and a given model its shape', async () => {
    const { model, report } = await trained({ model: network, data });
    expect(signatureOf(model).inputs).toEqual([
      { name: 'pixels', type: 'uint8', shape: ['batch', 2, 2] },
    ]);
    expect(report).toMatchObject({ kind: 'classification', accuracy: 1 });
    const flat = await trained({ model: mlp({ sizes: [4, 8, 2], seed: 1 }), data });
    expect(signatureOf(flat.model).outputs[0]!.name).toBe('y');
    expect(flat.report).toMatchObject({ accuracy: 1 });
  });

  it('feed several inputs by their names', async () => {
    const graph = new GraphBuilder('two');
    const x = graph.input('x', 'float32', ['batch', 2]);
    const z = graph.input('z', 'float32', ['batch', 2]);
    const w = graph.initializer('w', tensor('float32', [4, 1], new Float32Array(4)));
    const [both] = graph.node('Concat', [x, z], { axis: 1 });
    graph.output(graph.node('MatMul', [both, w])[0], 'float32', ['batch', 1]);
    const random = seededRandom(2);
    const numbers = () =>
      tensor(
        'float32',
        [64, 2],
        Float32Array.from({ length: 128 }, () => random.next()),
      );
    const inputs = new Map([
      ['x', numbers()],
      ['z', numbers()],
    ]);
    const [left, right] = [...inputs.values()].map((each) => values(each) as Float32Array);
    const sums = Float32Array.from(
      { length: 64 },
      (_, i) => 3 * left![2 * i]! - right![2 * i + 1]!,
    );
    const two: TrainingData = { from: 'arrays', inputs, labels: tensor('float32', [64, 1], sums) };
    const { report } = await trained(
      { model: graph.model(), data: two },
      { rate: 0.05, epochs: 60 },
    );
    expect(report?.kind === 'regression' && report.r2).toBeGreaterThan(0.99);
    inputs.delete('z');
    await expect(trained({ model: graph.model(), data: two })).rejects.toThrow("no array 'z'");
  });

  it('two kinds of labels make a binary task, whatever their numbers are', async () => {
    const kinds = tensor(
      'uint8',
      [40],
      Uint8Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 3 : 7)),
    );
    const { model, report } = await trained({
      model: network,
      data: { ...data, labels: kinds },
      task: 'binary',
    });
    expect(blueprintOf(model)).toMatchObject({ task: 'binary', classes: ['3', '7'] });
    expect(report).toMatchObject({ kind: 'classification', accuracy: 1 });
  });

  it.each([-1, 0.5, 7])('a model with one logit takes no label %d', (wrong) => {
    const numbers = Float32Array.from({ length: 40 }, (_, i) => i % 2);
    const right: TrainingData = {
      from: 'arrays',
      inputs: new Map([['x', tensor('float32', [40, 4], new Float32Array(160))]]),
      labels: tensor('float32', [40], numbers),
    };
    const start = assemble({
      model: mlp({ sizes: [4, 1], seed: 1 }),
      data: right,
      rows: [0, 1],
      seed: 1,
      task: 'binary',
    });
    expect([...values(rowsFor(start, right).tensors.get('skein/labels')!)]).toEqual([...numbers]);
    const labels = tensor('float32', [40], numbers.with(12, wrong));
    expect(() => rowsFor(start, { ...right, labels })).toThrow(
      `Row 12 has the label ${wrong}, which is out of range: there are 2 classes, 0 to 1.`,
    );
  });

  it('a model of doubles is refused as one', async () => {
    const graph = new GraphBuilder('doubles');
    graph.input('x', 'float64', ['batch', 2]);
    graph.initializer('w', tensor('float64', [2, 2], new Float64Array(4)));
    graph.output(graph.node('MatMul', ['x', 'w'])[0], 'float64', ['batch', 2]);
    const inputs = new Map([['x', tensor('float64', [40, 2], new Float64Array(80))]]);
    const doubles: TrainingData = { from: 'arrays', inputs, labels };
    await expect(trained({ model: graph.model(), data: doubles })).rejects.toThrow(
      'The model computes in float64, and trains in float32: export it so.',
    );
  });

  it.each<[string, Partial<TrainingData & { from: 'arrays' }>, string]>([
    [
      'too few labels',
      { labels: tensor('uint8', [39], new Uint8Array(39)) },
      '39 labels, but 40 rows',
    ],
    [
      'a label out of range',
      { labels: tensor('int8', [40], new Int8Array(40).fill(-1, 12)) },
      'Row 12 has the label -1, which is out of range: there are 2 classes, 0 to 1.',
    ],
    [
      'a label that is not a whole number',
      { labels: tensor('float32', [40], new Float32Array(40).fill(0.5, 3)) },
      'Row 3 has the label 0.5',
    ],
  ])('are refused for %s', async (_, change, message) => {
    const model = mlp({ sizes: [4, 2], seed: 1 });
    await expect(trained({ model, data: { ...data, ...change } })).rejects.toThrow(message);
  });
});

describe('a given model', () => {
  it('with a fixed batch is opened, or refused with the node that fixes it', () => {
    const fixed = mlp({ sizes: [4, 2], seed: 1, batch: 1 });
    expect(signatureOf(withBatch(fixed, 16)).outputs[0]!.shape).toEqual([16, 2]);
    const graph = new GraphBuilder('fixed');
    const x = graph.input('x', 'float32', [1, 2, 2]);
    const shape = graph.initializer('shape', tensor('int64', [2], BigInt64Array.of(1n, -1n)));
    const [flat] = graph.node('Reshape', [x, shape], {}, { name: 'flatten' });
    graph.output(flat, 'float32', [1, 4]);
    expect(() => withBatch(graph.model(), 16)).toThrow(
      "The model is built for batches of 1, as node 'flatten' (Reshape) shows.",
    );
  });

  it('keeps frozen parameters, and names the parameters when a pattern matches none', async () => {
    const data = await table('y');
    const model = mlp({ sizes: [4, 8, 1], seed: 1 });
    const { model: tuned } = await trained({ model, data }, { frozen: /^layer0/, epochs: 1 });
    const bytes = (of: Model, name: string) =>
      Buffer.from(of.graph!.initializer.find((each) => each.name === name)!.rawData);
    expect(bytes(tuned, 'layer0.weight')).toEqual(bytes(model, 'layer0.weight'));
    expect(bytes(tuned, 'layer1.weight')).not.toEqual(bytes(model, 'layer1.weight'));
    await expect(trained({ model, data }, { frozen: /^conv/ })).rejects.toThrow(
      'No parameter matches /^conv/. There are: layer0.weight, layer0.bias, layer1.weight',
    );
  });

  it('that cannot be differentiated is refused with the node', async () => {
    const graph = new GraphBuilder('loop');
    const x = graph.input('x', 'float32', ['batch', 4]);
    const w = graph.initializer('w', tensor('float32', [4, 2], new Float32Array(8)));
    const [y] = graph.node('MatMul', [x, w]);
    const [z] = graph.node('Det', [y], {}, { name: 'odd_one' });
    graph.output(graph.node('Add', [y, z])[0], 'float32', ['batch', 2]);
    const data = await table('side');
    await expect(trained({ model: graph.model(), data })).rejects.toThrow(/odd_one/);
  });
});

it('tasks follow from labels and outputs, and losses from tasks', () => {
  const texts = { are: 'texts', classes: ['a', 'b'] } as const;
  const counted = { are: 'numbers', distinct: [0, 1, 2], width: 1 } as const;
  const measured = { are: 'numbers', distinct: [0.5, 1], width: 1 } as const;
  expect(suggestedTask(texts, undefined)).toBe('classification');
  expect(suggestedTask(texts, 1)).toBe('binary');
  expect(suggestedTask(counted, undefined)).toBe('classification');
  expect(suggestedTask(counted, 1)).toBe('regression');
  expect(suggestedTask(counted, 5)).toBe('classification');
  expect(suggestedTask(measured, undefined)).toBe('regression');
  expect(lossFor('regression', 'huber')).toEqual({ kind: 'huber' });
  expect(() => lossFor('binary', 'huber')).toThrow('does not fit the task binary');
});
