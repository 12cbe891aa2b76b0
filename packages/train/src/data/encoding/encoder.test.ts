import { GraphBuilder, values, type NumericTensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { nativeBackend } from '../../run/native-backend.ts';
import { encodeRows, fitEncoder } from './encoder.ts';
import { withEncoder } from './encoding-graph.ts';
import { readCsv } from '../table/read-table.ts';

const text = `age,colour,height,city,ill
30,red,1.5,Aa,no
40,blue,1.7,Bb,yes
50,red,1.9,Aa,no
60,green,9.9,Cc,yes
`;
const table = await readCsv(new TextEncoder().encode(text));
/** Rows 0 to 2 are training rows; row 3 has a colour and a city that they do not have. */
const encoder = fitEncoder(table, { target: 'ill', rows: [0, 1, 2] });

function identity(width: number) {
  const graph = new GraphBuilder('identity');
  const [y] = graph.node('Identity', [graph.input('x', 'float32', ['batch', width])]);
  graph.output(y, 'float32', ['batch', width]);
  return graph.model();
}

const floatsOf = (tensor: NumericTensor) => Array.from(values(tensor) as Float32Array);

it('is fitted on the training rows only', () => {
  expect(encoder.width).toBe(6);
  expect(encoder.features).toEqual([
    {
      name: 'age',
      kind: 'number',
      mean: expect.closeTo(40),
      deviation: expect.closeTo(Math.sqrt(200 / 3)),
    },
    { name: 'colour', kind: 'category', categories: ['red', 'blue'] },
    {
      name: 'height',
      kind: 'number',
      mean: expect.closeTo(1.7),
      deviation: expect.closeTo(Math.sqrt(0.08 / 3)),
    },
    { name: 'city', kind: 'category', categories: ['Aa', 'Bb'] },
  ]);
});

it('lets the model take raw rows', async () => {
  const graph = await nativeBackend.open(withEncoder(identity(6), encoder, 'x'));
  const { tensors } = encodeRows(table, encoder);
  expect(Array.from(values(tensors.get('labels')!) as BigInt64Array)).toEqual([0n, 1n, 0n, 1n]);
  const [encoded] = (await graph.run(new Map([['features', tensors.get('features')!]]))).values();
  const a = 10 / Math.sqrt(200 / 3);
  const h = 0.2 / Math.sqrt(0.08 / 3);
  const wanted = [
    [-a, 1, 0, -h, 1, 0],
    [0, 0, 1, 0, 0, 1],
    [a, 1, 0, h, 1, 0],
    [2 * a, 0, 0, (h * 8.2) / 0.2, 0, 0],
  ];
  expect(floatsOf(encoded!)).toEqual(wanted.flat().map((each) => expect.closeTo(each, 4)));
  await graph.close();
});

it('leaves the scale of a constant column', async () => {
  const constant = await readCsv(new TextEncoder().encode('a,b\n0.1,1\n0.1,2\n0.1,3\n'));
  const { features } = fitEncoder(constant, { target: 'b', rows: [0, 1, 2] });
  expect(features[0]).toMatchObject({ deviation: 1 });
});

describe('refuses', () => {
  it.each([
    [['age', 'ill'], "'ill' is to be predicted, so it cannot be a feature too."],
    [['age', 'city', 'age'], "The feature 'age' is named twice."],
  ])('the features %j', (features, message) => {
    expect(() => fitEncoder(table, { target: 'ill', features, rows: [0, 1, 2] })).toThrow(message);
  });

  it('an unknown class, naming the row', async () => {
    const other = await readCsv(
      new TextEncoder().encode('age,colour,height,city,ill\n1,red,1,Aa,maybe\n'),
    );
    expect(() => encodeRows(other, encoder)).toThrow(
      "Row 0 has the class 'maybe', which is none of no, yes.",
    );
  });

  it('a column whose type changed', async () => {
    const other = await readCsv(
      new TextEncoder().encode('age,colour,height,city,ill\n1,7,1,Aa,no\n'),
    );
    expect(() => encodeRows(other, encoder)).toThrow(
      "Column 'colour' holds numbers, but held categories",
    );
  });

  it('a model of another width or input', () => {
    expect(() => withEncoder(identity(5), encoder, 'x')).toThrow(
      "Input 'x' is float32 [batch, 5], but the encoding makes float32 [batch, 6].",
    );
    expect(() => withEncoder(identity(6), encoder, 'y')).toThrow("no input 'y'");
  });

  it('no rows', () => {
    expect(() => fitEncoder(table, { target: 'ill', rows: [] })).toThrow('no rows to fit');
  });
});
