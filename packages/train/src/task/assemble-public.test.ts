import { mlp, readModel, signatureOf, tensor, values, writeModel } from '@skein/onnx';
import { expect, it } from 'vitest';
import { nativeBackend } from '../run/native-backend.ts';
import { assemblePublic, type PublicColumns } from './assemble-public.ts';
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
