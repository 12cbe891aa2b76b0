import { mlp, readModel, signatureOf, tensor, values, writeModel } from '@skein/onnx';
import { expect, it } from 'vitest';
import { nativeBackend } from '../run/native-backend.ts';
import { assemblePublic, networkFrom, type PublicColumns } from './assemble-public.ts';
import type { NetworkBuilder } from './assemble.ts';
import { blueprintOf } from './blueprint.ts';
import { problemOf, rowsFor } from './problem.ts';
import { readCsv } from '../data/table/read-table.ts';

const COLUMNS: PublicColumns = {
  features: [
    { name: 'age', kind: 'number', low: 20, high: 80 },
    { name: 'pain', kind: 'category', categories: ['low', 'some', 'much'] },
    { name: 'chol', kind: 'number', low: 100, high: 500, fill: 200 },
  ],
  target: { name: 'ill', kind: 'category', classes: ['no', 'yes'] },
};
const linear: NetworkBuilder = ({ inputs, outputs, seed }) =>
  mlp({ sizes: [inputs, outputs], seed });
const csv = (text: string) => readCsv(new TextEncoder().encode(text), { missing: 'keep' });

it('encodes a row in the same way whatever the other rows are', async () => {
  const model = readModel(writeModel(assemblePublic(COLUMNS, linear, 1)));
  expect(blueprintOf(model)).toMatchObject({ task: 'binary', classes: ['no', 'yes'] });
  const [input] = signatureOf(model).inputs;
  expect(input).toMatchObject({ name: 'features', shape: ['batch', 3] });
  // Ends of the ranges are −1 and 1, and a missing number has its public stand-in.
  const weights = problemOf(model, { batch: 1 }).graded.model.graph!.initializer.filter(
    ({ dims }) => dims.length === 2,
  );
  expect(weights.map(({ dims }) => dims.map(Number))).toEqual([[1, 5]]);
  const table = await csv('chol,age,pain,ill\n?,20,some,yes\n500,80,low,no\n');
  const rows = rowsFor(model, { from: 'table', table, label: 'ill' });
  expect([...values(rows.tensors.get('features')!)]).toEqual([20, 1, NaN, 80, 0, 500]);
  expect([...values(rows.tensors.get('skein/labels')!)]).toEqual([1, 0]);
  const graph = await nativeBackend.open(model);
  const answer = await graph.run(
    new Map([['features', tensor('float32', [2, 3], Float32Array.of(50, 1, NaN, 50, 1, 200))]]),
  );
  const [missing, given] = values([...answer.values()][0]!);
  expect(missing).toBe(given);
  await graph.close();
});

it('refuses an empty range and a class twice', () => {
  const target = { ...COLUMNS.target, classes: ['no', 'no'] } as PublicColumns['target'];
  expect(() => assemblePublic({ ...COLUMNS, target }, linear, 1)).toThrow(/'ill' has 'no' twice/);
  const features = [{ name: 'age', kind: 'number', low: 5, high: 5 } as const];
  expect(() => assemblePublic({ ...COLUMNS, features }, linear, 1)).toThrow(/range of 'age'/);
  const wide = [{ name: 'age', kind: 'number', low: -1e308, high: 1e308 } as const];
  expect(() => assemblePublic({ ...COLUMNS, features: wide }, linear, 1)).toThrow(/float32/);
  for (const narrow of [1e-320, 1e-39]) {
    const features = [{ name: 'age', kind: 'number', low: 0, high: narrow } as const];
    expect(() => assemblePublic({ ...COLUMNS, features }, linear, 1)).toThrow(/too narrow/);
  }
  const filled = [{ name: 'age', kind: 'number', low: 0, high: 1, fill: 1e300 } as const];
  expect(() => assemblePublic({ ...COLUMNS, features: filled }, linear, 1)).toThrow(
    "The fill of 'age', 1e+300, is beyond the range of float32.",
  );
});

const IMAGES: PublicColumns = {
  features: [{ name: 'pixels', kind: 'array', type: 'uint8', shape: [1, 2, 2] }],
  target: { name: 'kind', kind: 'category', classes: ['cat', 'dog', 'owl'] },
};

it('takes arrays as they are, scaled by public numbers', async () => {
  const model = readModel(writeModel(assemblePublic(IMAGES, linear, 1)));
  expect(blueprintOf(model)).toMatchObject({
    task: 'classification',
    arrays: { name: 'pixels', type: 'uint8', shape: [1, 2, 2], shift: 0, scale: 255 },
  });
  const pixels = {
    type: 'uint8',
    shape: [2, 1, 2, 2],
    bytes: Uint8Array.of(0, 51, 102, 255, 0, 0, 0, 0),
  } as const;
  const labels = tensor('int64', [2], BigInt64Array.of(1n, 0n));
  // Labels are positions in names of the file's own.
  const classes = ['owl', 'cat'];
  const rows = rowsFor(model, {
    from: 'arrays',
    inputs: new Map([['pixels', pixels]]),
    labels,
    classes,
  });
  expect([...values(rows.tensors.get('skein/labels')!)]).toEqual([0n, 2n]);
  const graph = await nativeBackend.open(model);
  const answer = values([...(await graph.run(new Map([['pixels', pixels]]))).values()][0]!);
  const [weights, bias] = problemOf(model, { batch: 1 }).graded.model.graph!.initializer.map(
    (each) => Float32Array.from(new Float32Array(each.rawData.slice().buffer)),
  );
  const scores = [0, 1, 2].map((unit) =>
    [0, 0.2, 0.4, 1].reduce((sum, each, i) => sum + each * weights![4 * unit + i]!, bias![unit]!),
  );
  const whole = scores.reduce((sum, each) => sum + Math.exp(each), 0);
  scores.forEach((score, i) => expect(answer[i]).toBeCloseTo(Math.exp(score) / whole, 5));
  await graph.close();
});

it('builds over the network of a file, also where it uses the names of the encoding', async () => {
  const given = mlp({ sizes: [5, 4, 1], seed: 2 });
  const [input] = signatureOf(given).inputs;
  const [output] = signatureOf(given).outputs;
  const text = (name: string) =>
    name === input!.name ? 'features' : name === output!.name ? 'probability' : name;
  const graph = given.graph!;
  for (const node of graph.node) {
    node.input = node.input.map(text);
    node.output = node.output.map(text);
  }
  graph.input[0]!.name = 'features';
  graph.output[0]!.name = 'probability';
  const table = await csv('chol,age,pain,ill\n150,20,some,yes\n500,80,low,no\n');
  const outcome = async (network: NetworkBuilder) => {
    const model = assemblePublic(COLUMNS, network, 1);
    const rows = rowsFor(model, { from: 'table', table, label: 'ill' });
    const opened = await nativeBackend.open(model);
    const answer = await opened.run(new Map([['features', rows.tensors.get('features')!]]));
    await opened.close();
    return [...values([...answer.values()][0]!)];
  };
  const file = readModel(writeModel(given));
  expect(await outcome(networkFrom(file))).toEqual(
    await outcome(() => mlp({ sizes: [5, 4, 1], seed: 2 })),
  );
  expect(
    problemOf(assemblePublic(COLUMNS, networkFrom(file), 1), { batch: 1 }).graded,
  ).toBeDefined();
  expect(() => assemblePublic(IMAGES, networkFrom(file), 1)).toThrow('needs 3: logits of classes');
});
