import {
  GraphBuilder,
  mlp,
  readModel,
  signatureOf,
  values,
  writeModel,
  type Model,
} from '@skein/onnx';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { InferenceSession as WebSession, Tensor as WebTensor } from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { nativeBackend } from '../../run/native-backend.ts';
import { encodeRows, fitEncoder } from './encoder.ts';
import { withEncoder } from './encoding-graph.ts';
import { withoutRawColumns, withRawColumns } from './raw-columns.ts';
import type { Table } from '../table/table.ts';
import { readCsv } from '../table/read-table.ts';

function identity(width: number): Model {
  const graph = new GraphBuilder('identity');
  const [y] = graph.node('Identity', [graph.input('x', 'float32', ['batch', width])]);
  graph.output(y, 'float32', ['batch', width]);
  return graph.model();
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** The rows of a table by the names of their columns, as a client sends them. */
function columnsOf(
  { columns }: Table,
  names: readonly string[],
): Record<string, Float32Array | string[]> {
  const found = columns.filter(({ name }) => names.includes(name));
  return Object.fromEntries(
    found.map((column) => [
      column.name,
      column.kind === 'number'
        ? Float32Array.from(column.values)
        : Array.from(column.codes, (code) => column.categories[code] ?? ''),
    ]),
  );
}

/** The first output, as both builds of ONNX Runtime find it. */
async function answers(
  model: Model,
  columns: Readonly<Record<string, Float32Array | string[]>>,
): Promise<readonly [native: number[], wasm: number[]]> {
  const bytes = writeModel(model);
  const [output] = signatureOf(model).outputs;
  const native = await InferenceSession.create(bytes);
  const wasm = await WebSession.create(bytes, { executionProviders: ['wasm'] });
  const fed = <T>(Class: new (type: 'string' | 'float32', data: never, dims: number[]) => T) =>
    Object.fromEntries(
      Object.entries(columns).map(([name, data]) => [
        name,
        new Class(data instanceof Float32Array ? 'float32' : 'string', data as never, [
          data.length,
        ]),
      ]),
    );
  const results = [
    (await native.run(fed(Tensor as never)))[output!.name]!.data,
    (await wasm.run(fed(WebTensor as never)))[output!.name]!.data,
  ];
  await Promise.all([native.release(), wasm.release()]);
  return results.map((data) => Array.from(data as Float32Array)) as [number[], number[]];
}

describe('the columns of a table as inputs', () => {
  const text = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
    .map((each) => `t${each}`);
  const row = fc.record({
    a: fc.float({ noNaN: true, min: -1000, max: 1000 }),
    city: text,
    b: fc.float({ noNaN: true, min: -1000, max: 1000 }),
    colour: fc.constantFrom('red', 'green', 'blue'),
  });

  it('are encoded as the table is, natively and in WebAssembly, unknown texts among them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 3, maxLength: 12 }),
        fc.nat(),
        async (rows, share) => {
          const lines = rows.map(
            ({ a, city, b, colour }) =>
              `${a},${quoted(city)},${b},${colour},${a > 0 ? 'up' : 'down'}`,
          );
          const table = await readCsv(bytesOf(['a,city,b,colour,y', ...lines].join('\n')));
          // The rows after these may hold categories that the encoding does not know.
          const known = Array.from({ length: 1 + (share % rows.length) }, (_, i) => i);
          const encoder = fitEncoder(table, { target: 'y', rows: known });
          const inner = withEncoder(identity(encoder.width), encoder, 'x');
          const graph = await nativeBackend.open(inner);
          const { tensors } = encodeRows(table, encoder);
          const features = tensors.get('features')!;
          const [wanted] = (await graph.run(new Map([['features', features]]))).values();
          await graph.close();
          const outer = withRawColumns(inner, encoder);
          const columns = columnsOf(table, ['a', 'city', 'b', 'colour']);
          const [native, wasm] = await answers(readModel(writeModel(outer)), columns);
          expect(native).toEqual(Array.from(values(wanted!) as Float32Array));
          expect(wasm).toEqual(native);
        },
      ),
      { seed: 9, numRuns: 25 },
    );
  }, 60_000);

  it('make an unknown category all zeros', async () => {
    const table = await readCsv(bytesOf('city,y\nBerlin,a\nParis,b\n'));
    const encoder = fitEncoder(table, { target: 'y', rows: [0, 1] });
    const model = withRawColumns(withEncoder(identity(2), encoder, 'x'), encoder);
    expect(signatureOf(model).inputs).toEqual([{ name: 'city', type: 'string', shape: ['batch'] }]);
    const [native] = await answers(model, { city: ['Paris', 'Atlantis', '', 'Berlin'] });
    expect(native).toEqual([0, 1, 0, 0, 0, 0, 1, 0]);
  });

  it('get another name where the network has a value of theirs', async () => {
    const table = await readCsv(bytesOf('features,y1,y\nBerlin,1,a\nParis,2,b\n'));
    const encoder = fitEncoder(table, { target: 'y', rows: [0, 1] });
    const network = mlp({ sizes: [3, 2], seed: 1 });
    const [output] = signatureOf(network).outputs;
    const named = {
      ...encoder,
      features: [encoder.features[0]!, { ...encoder.features[1]!, name: output!.name }],
    };
    const model = withRawColumns(withEncoder(network, named, 'x'), named);
    const names = signatureOf(model).inputs.map(({ name }) => name);
    expect(names).toEqual(['features_column', `${output!.name}_column`]);
    const columns = { [names[0]!]: ['Paris'], [names[1]!]: Float32Array.of(1) };
    expect((await answers(model, columns))[0]).toHaveLength(2);
  });

  it('are taken off again for further training', async () => {
    const table = await readCsv(bytesOf('a,city,y\n1,Berlin,a\n2,Paris,b\n'));
    const encoder = fitEncoder(table, { target: 'y', rows: [0, 1] });
    const inner = withEncoder(identity(3), encoder, 'x');
    const outer = readModel(writeModel(withRawColumns(inner, encoder)));
    expect(writeModel(withoutRawColumns(outer, encoder))).toEqual(writeModel(inner));
    expect(withoutRawColumns(inner, encoder)).toBe(inner);
  });

  it('are one list where all are numbers', async () => {
    const table = await readCsv(bytesOf('a,b,y\n1,2,a\n2,3,b\n'));
    const encoder = fitEncoder(table, { target: 'y', rows: [0, 1] });
    const inner = withEncoder(identity(2), encoder, 'x');
    expect(withRawColumns(inner, encoder)).toBe(inner);
  });
});
