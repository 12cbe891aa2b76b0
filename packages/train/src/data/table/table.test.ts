import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnOf, completeRows, selectTableRows } from './table.ts';
import type { Column } from './column.ts';
import { tableBuilder } from './table-builder.ts';
import { readCsv, readJsonLines } from './read-table.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('CSV', () => {
  it('types columns by their first value', async () => {
    const table = await readCsv(bytes('age,sex,height\n31,f,1.75\n40,m,1e0\n52,f,-2\n'));
    expect(table).toEqual({
      count: 3,
      columns: [
        { name: 'age', kind: 'number', values: Float64Array.of(31, 40, 52) },
        { name: 'sex', kind: 'category', codes: Int32Array.of(0, 1, 0), categories: ['f', 'm'] },
        { name: 'height', kind: 'number', values: Float64Array.of(1.75, 1, -2) },
      ],
    });
  });

  it('detects semicolons and decimal commas, whatever pieces the text comes in', async () => {
    const text = '"Ort; Land";Preis;Menge;Name\n"Bonn; D";1.234,5;2.000;a,b\nRom;-0,25;7;c\n';
    for (const chunk of [1, 3, 1000]) {
      const all = bytes(text);
      const pieces = Array.from({ length: Math.ceil(all.length / chunk) }, (_, i) =>
        all.subarray(i * chunk, (i + 1) * chunk),
      );
      const table = await readCsv(pieces);
      expect(table).toMatchObject({
        format: 'semicolons between its columns and decimal commas in its numbers',
        columns: [
          { name: 'Ort; Land', categories: ['Bonn; D', 'Rom'] },
          { name: 'Preis', values: Float64Array.of(1234.5, -0.25) },
          // Without a decimal comma in the column, a point is a point.
          { name: 'Menge', values: Float64Array.of(2, 7) },
          { name: 'Name', categories: ['a,b', 'c'] },
        ],
      });
    }
    expect(await readCsv(bytes('a\tb\n1,5\t2.5\n3,0\t1\n'))).toMatchObject({
      format: 'tabs between its columns and decimal commas in its numbers',
      columns: [{ values: Float64Array.of(1.5, 3) }, { values: Float64Array.of(2.5, 1) }],
    });
    const mixed = readCsv(bytes('a;b\n1,5;1\n1.5;2\n'));
    await expect(mixed).rejects.toThrow("Line 3: 'a' is '1.5', but others have the other decimal");
    expect(await readCsv(bytes('a,b\n1;2,3\n'))).toMatchObject({
      columns: [{ categories: ['1;2'] }, { values: Float64Array.of(3) }],
    });
    expect(await readCsv(bytes('1;2\n'), { names: ['x', 'y'] })).toMatchObject({ count: 1 });
  });

  it('takes names and types that are given', async () => {
    const options = { names: ['code', 'value'], kinds: { code: 'category' as const } };
    const table = await readCsv(bytes('7,1\n3,2\n7,3'), options);
    expect(columnOf(table, 'code')).toMatchObject({ categories: ['7', '3'] });
    expect(() => columnOf(table, 'cod')).toThrow("There is no column 'cod', only 'code', 'value'.");
  });

  it.each([
    ['', 'The table has no rows.'],
    ['a,b\n', 'The table has no rows.'],
    ['a,b\n1,2\n1\n', 'Line 3 has 1 fields, but there are 2 columns.'],
    ['a,b\n1,2\n1,2,3\n', 'Line 3 has 3 fields, but there are 2 columns.'],
    ['a,b\n1,2\n1,\n', "Line 3: 'b' is missing."],
    ['a,b\n1,2\n1,NA\n', "Line 3: 'b' is missing ('NA')."],
    ['a,b\n1,2\nx,1\n', "Line 3: 'a' is 'x', but the column holds numbers."],
    ['a,b\n1,2\nInfinity,1\n', "Line 3: 'a' is 'Infinity', but the column holds numbers."],
    ['a,b\n1,u\n1,\n', "Line 3: 'b' is missing."],
    ['a,a\n1,u\n', "Two columns are named 'a'."],
  ])('refuses %j', async (text, message) => {
    await expect(readCsv(bytes(text))).rejects.toThrow(message);
  });

  it('refuses the type of a missing column', async () => {
    const kinds = { c: 'number' as const };
    await expect(readCsv(bytes('a\n1\n'), { kinds })).rejects.toThrow("no column 'c' whose type");
  });
});

it('names a number of a typed file that is not finite as it is', () => {
  const builder = tableBuilder(['a'], {});
  builder.add(1, [1]);
  expect(() => builder.add(2, [Infinity])).toThrow(
    "Line 2: 'a' is Infinity, but the column holds numbers.",
  );
  expect(() => builder.add(2, [NaN])).toThrow("Line 2: 'a' is missing (NaN).");
});

describe('missing values', () => {
  const text = 'a,b,c\n,x,?\n1,,2\nNaN,y,n/a\n4,x,8\n';

  it('are kept when requested, and do not decide the type of a column', async () => {
    const table = await readCsv(bytes(text), { missing: 'keep' });
    expect(table.columns).toEqual([
      { name: 'a', kind: 'number', values: Float64Array.of(NaN, 1, NaN, 4) },
      { name: 'b', kind: 'category', codes: Int32Array.of(0, -1, 1, 0), categories: ['x', 'y'] },
      { name: 'c', kind: 'number', values: Float64Array.of(NaN, 2, NaN, 8) },
    ]);
    expect([...completeRows(table, ['a', 'b'])]).toEqual([3]);
    expect([...completeRows(table, ['b'])]).toEqual([0, 2, 3]);
    expect(selectTableRows(table, [3, 1]).columns).toEqual([
      { name: 'a', kind: 'number', values: Float64Array.of(4, 1) },
      { name: 'b', kind: 'category', codes: Int32Array.of(0, -1), categories: ['x', 'y'] },
      { name: 'c', kind: 'number', values: Float64Array.of(8, 2) },
    ]);
    expect(() => selectTableRows(table, [])).toThrow('no rows');
  });

  it('are null or a field that is not there in JSON Lines', async () => {
    const lines = bytes('{"a":null,"b":1}\n{"a":"u"}\n{"b":2}\n');
    const table = await readJsonLines(lines, { missing: 'keep' });
    expect(table.columns).toEqual([
      { name: 'a', kind: 'category', codes: Int32Array.of(-1, 0, -1), categories: ['u'] },
      { name: 'b', kind: 'number', values: Float64Array.of(1, NaN, 2) },
    ]);
  });

  it('may not be the only values of a column', async () => {
    await expect(readCsv(bytes('a,b\n1,\n2,\n'), { missing: 'keep' })).rejects.toThrow(
      "Column 'b' has no value in any row.",
    );
  });
});

describe('JSON Lines', () => {
  it('reads what was written, with the columns of the first object in any order', async () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const row = fc.record({ x: number, ok: fc.boolean(), name: fc.string({ minLength: 1 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 80 }), async (rows) => {
        const kinds = { name: 'category' as const };
        const lines = rows.map(({ x, ok, name }, i) =>
          JSON.stringify(i % 2 === 0 ? { x, ok, name } : { name, ok, x }),
        );
        const table = await readJsonLines(bytes(lines.join('\n')), { kinds });
        const [x, ok, name] = table.columns;
        expect(Array.from((x as Column & { kind: 'number' }).values)).toEqual(
          rows.map((each) => JSON.parse(JSON.stringify(each.x)) as number),
        );
        expect(Array.from((ok as Column & { kind: 'number' }).values)).toEqual(
          rows.map((each) => Number(each.ok)),
        );
        const { codes, categories } = name as Column & { kind: 'category' };
        expect(Array.from(codes, (code) => categories[code])).toEqual(
          rows.map((each) => each.name),
        );
      }),
      { numRuns: 50, seed: 2 },
    );
  });

  it.each([
    ['\n\n', 'The table has no rows.'],
    ['{"a":1}\n{"a":1', 'Line 2 is not JSON.'],
    ['{"a":1}\n\n[1]', 'Line 3 is not a JSON object.'],
    ['{"a":1}\n{}', "Line 2: 'a' is missing."],
    ['{"a":1}\n{"a":1,"b":2}', "Line 2: 'b' is not in the first record."],
    ['{"a":1}\n{"a":null}', "Line 2: 'a' is missing."],
    ['{"a":"u"}\n{"a":null}', "Line 2: 'a' is missing."],
    ['{"a":[1]}', "Line 1: 'a' is [1], but must be a text or a number."],
  ])('refuses %j', async (text, message) => {
    await expect(readJsonLines(bytes(text))).rejects.toThrow(message);
  });
});

describe('columns that are named like what every object inherits', () => {
  it('have the type of their values', async () => {
    const { columns } = await readCsv(bytes('constructor,toString,__proto__\n1,a,2\n'));
    expect(columns.map(({ name, kind }) => [name, kind])).toEqual([
      ['constructor', 'number'],
      ['toString', 'category'],
      ['__proto__', 'number'],
    ]);
  });

  it('are missing where a record lacks them', async () => {
    const lines = bytes('{"y":1,"constructor":2}\n{"y":3}\n');
    await expect(readJsonLines(lines)).rejects.toThrow("Line 2: 'constructor' is missing.");
    const table = await readJsonLines(lines, { missing: 'keep' });
    expect(columnOf(table, 'constructor')).toMatchObject({ values: Float64Array.of(2, NaN) });
  });
});
