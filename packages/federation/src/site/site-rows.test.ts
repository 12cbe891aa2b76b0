import type { PublicColumns } from '@skein/train';
import { describe, expect, it } from 'vitest';
import { outsideText, readSiteRows } from './site-rows.ts';

const COLUMNS: PublicColumns = {
  features: [
    { name: 'age', kind: 'number', low: 20, high: 80 },
    { name: 'cp', kind: 'category', categories: ['1', '2', '3'] },
    { name: 'chol', kind: 'number', low: 100, high: 500, fill: 200 },
  ],
  target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
};
const read = (text: string, format?: 'csv' | 'jsonl') =>
  readSiteRows(COLUMNS, new TextEncoder().encode(text), format);

it('takes the columns of the plan in any order, and lists the unused ones', async () => {
  const { count, unused, classes, rows } = await read(
    'ill,name,chol,age,cp\n1,Ada,?,40,2\n0,Bob,210,50,1\n0,Cy,90,60,3\n',
  );
  expect({ count, unused, classes }).toEqual({
    count: 3,
    unused: ['name'],
    classes: [
      { name: '0', rows: 2 },
      { name: '1', rows: 1 },
    ],
  });
  const features = new Float32Array(rows.tensors.get('features')!.bytes.buffer);
  expect([...features]).toEqual([40, 1, NaN, 50, 0, 210, 60, 2, 90]);
});

it('takes a file with semicolons and decimal commas', async () => {
  const { count, rows } = await read('age;cp;chol;ill\n40,5;1;1.234,5;1\n50,0;2;210;0\n');
  const features = new Float32Array(rows.tensors.get('features')!.bytes.buffer);
  expect({ count, features: [...features] }).toEqual({
    count: 2,
    features: [40.5, 0, 1234.5, 50, 1, 210],
  });
});

it('fills in a number that no row of the site has', async () => {
  const { count, rows, outside } = await read('age,cp,chol,ill\n40,1,?,1\n50,2,,0\n');
  const features = new Float32Array(rows.tensors.get('features')!.bytes.buffer);
  expect([...features]).toEqual([40, 0, NaN, 50, 1, NaN]);
  expect({ count, outside }).toEqual({ count: 2, outside: [] });
});

it('takes any values, and none, in columns that the plan does not use', async () => {
  const csv = 'note,left,age,cp,chol,ill\n12,,40,1,200,1\nsee letter,,50,2,210,0\n';
  const json = [
    { note: 12, left: null, age: 40, cp: 1, chol: 200, ill: 1 },
    { note: ['see', 'letter'], age: 50, cp: 2, chol: 210, ill: 0 },
  ];
  for (const [text, format] of [
    [csv, 'csv'],
    [json.map((row) => JSON.stringify(row)).join('\n'), 'jsonl'],
  ] as const) {
    const { count, unused } = await read(text, format);
    expect({ count, unused }).toEqual({ count: 2, unused: ['note', 'left'] });
  }
});

it('names the columns whose values the plan does not have', async () => {
  const { outside } = await read(
    'age,cp,chol,ill\n40,1,200,1\n40,4,200,0\n40,,200,0\n90,2,?,0\n80,9,500,1\n',
  );
  expect(outside).toEqual([
    { name: 'age', kind: 'number', rows: 1, planned: '20 to 80' },
    { name: 'cp', kind: 'category', rows: 3, planned: '1, 2, 3' },
  ]);
  expect(outside.map(outsideText)).toEqual([
    "1 row has a value of 'age' that the plan does not have (20 to 80), taken as it is, not clipped.",
    "3 rows have values of 'cp' that the plan does not have (1, 2, 3), taken for none of these.",
  ]);
});

it('names the columns that lose digits in float32 by which rows differ', async () => {
  const noon = 1_767_268_800_000;
  const columns: PublicColumns = {
    ...COLUMNS,
    features: [{ name: 'at', kind: 'number', low: noon, high: noon + 1e7 }],
  };
  const text = `at,ill\n${noon},0\n${noon + 60_000},1\n${noon + 120_000},1\n`;
  const { rounded } = await readSiteRows(columns, new TextEncoder().encode(text));
  expect(rounded).toEqual([
    expect.stringMatching(/^'at' is rounded by up to \d+ in float32, .* the sites can agree/),
  ]);
  expect((await read('age,cp,chol,ill\n40,1,200.3,1\n41,1,200,0\n')).rounded).toEqual([]);
});

it('takes what the plan lists as it stands: codes with zeros, texts after numbers, a word for a missing value, true and false', async () => {
  const columns: PublicColumns = {
    features: [
      { name: 'code', kind: 'category', categories: ['01', '2', 'A'] },
      { name: 'signs', kind: 'category', categories: ['none', 'some'] },
      { name: 'smokes', kind: 'category', categories: ['false', 'true'] },
    ],
    target: { name: 'grade', kind: 'category', classes: ['none', '01'] },
  };
  const values = [
    ['01', 'none', true, 'none'],
    ['2.0', 'some', false, '01'],
    ['A', 'none', true, 'none'],
    ['1', '?', false, '01'],
  ];
  const names = ['code', 'signs', 'smokes', 'grade'];
  const lines = values.map((row) =>
    JSON.stringify(Object.fromEntries(row.map((value, i) => [names[i], value]))),
  );
  for (const [text, format] of [
    [[names, ...values].map(String).join('\n'), 'csv'],
    [lines.join('\n'), 'jsonl'],
  ] as const) {
    const { rows, classes, outside } = await readSiteRows(
      columns,
      new TextEncoder().encode(text),
      format,
    );
    const features = new Float32Array(rows.tensors.get('features')!.bytes.buffer);
    expect([...features]).toEqual([0, 0, 1, 1, 1, 0, 2, 0, 1, 3, 2, 0]);
    expect(classes.map((each) => each.rows)).toEqual([2, 2]);
    expect(outside.map(({ name, rows }) => [name, rows])).toEqual([
      ['code', 1],
      ['signs', 1],
    ]);
  }
});

it('reads JSON Lines', async () => {
  const { count } = await read(
    '{"age":40,"cp":2,"chol":null,"ill":1}\n{"age":50,"cp":1,"chol":200,"ill":0}\n',
    'jsonl',
  );
  expect(count).toBe(2);
});

describe('refuses', () => {
  it.each([
    ['other columns', 'age,chol,ill\n40,200,1\n', /lack the columns cp/],
    ['no rows', 'age,cp,chol,ill\n', /no rows/],
    ['an empty file', '', /no rows/],
    [
      'a missing value without a stand-in',
      'age,cp,chol,ill\n?,1,200,1\n40,1,2,0\n,1,2,0\n',
      /Row 0 has no 'age' \(the first of 2 rows\): leave such rows out.*`fill`/,
    ],
    [
      'a column without values and without a stand-in',
      'age,cp,chol,ill\n,1,200,1\n,1,2,0\n',
      /Row 0 has no 'age' \(the first of 2 rows\): leave such rows out.*`fill`/,
    ],
    ['no label in any row', 'age,cp,chol,ill\n40,1,200,\n41,1,2,\n', /Row 0 has no 'ill'/],
    ['texts in place of numbers', 'age,cp,chol,ill\n"40,5",1,200,1\n', /'40,5'.*takes numbers/],
    ['a text in a column of numbers', 'age,cp,chol,ill\n40,1,200,1\nold,1,2,0\n', /Line 3: 'age'/],
    ['a number that is infinite', 'age,cp,chol,ill\n40,1,200,1\nInfinity,1,2,0\n', /'age'/],
    ['a missing label', 'age,cp,chol,ill\n40,1,200,1\n40,1,200,?\n', /ill/],
    ['a label that the plan does not know', 'age,cp,chol,ill\n40,1,200,1\n40,1,200,7\n', /7/],
    ['one class alone', 'age,cp,chol,ill\n40,1,200,1\n41,1,200,1\n', /All 2 rows/],
  ])('%s', async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'SITE_DATA_UNFIT',
      message: expect.stringMatching(message),
    });
  });
});
