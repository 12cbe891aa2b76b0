import { mlp, readModel, signatureOf, values, writeModel, type Model } from '@skein/onnx';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { InferenceSession as WebSession, Tensor as WebTensor } from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { formatsOf, partsOf, type DateFormat } from '../dates/date-format.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { MOST_TEXTS } from '../table/column.ts';
import type { Table } from '../table/table.ts';
import { encodeRows, fitEncoder } from './encoder.ts';
import { withEncoder } from './encoding-graph.ts';
import { withoutRawColumns, withRawColumns } from './raw-columns.ts';
import { surveyColumns } from './survey.ts';
import { readCsv } from '../table/read-table.ts';

const AT = { name: 'at', kind: 'category', categories: ['a'] } as const;
const ENCODER = { target: { name: 'ill', kind: 'number' }, features: [], width: 1 } as const;

const tableOf = (lines: readonly string[]): Promise<Table> =>
  readCsv(new TextEncoder().encode(lines.join('\n')));

const DAY = 86_400_000;
const dayOf = (i: number) => new Date(Date.UTC(2023, 10, 25) + i * DAY).toISOString().slice(0, 10);

describe('a survey of columns', () => {
  it('leaves out identifiers and free text with the reason, and takes dates apart', async () => {
    const rows = Array.from(
      { length: 60 },
      (_, i) =>
        `P-${i},${1000 + i},${dayOf(i)},"patient ${i} was seen again",${['Oslo', 'Rome'][i % 2]},${i % 7},${i},yes`,
    );
    const table = await tableOf(['code,patient_id,admitted,remark,city,age,dose,ill', ...rows]);
    const { features, dates, notes } = surveyColumns(table, undefined, ['ill']);
    // A whole number of its own in each row is an identifier by its name alone.
    expect(features).toEqual(['admitted', 'city', 'age', 'dose']);
    expect(dates).toMatchObject([{ name: 'admitted', format: { order: 'ymd', separator: '-' } }]);
    expect(notes[0]).toBe(
      'Columns: numbers age, dose; texts city (2); dates admitted (year, month, day, weekday).',
    );
    expect(notes.slice(1).map((note) => note.slice(0, 34))).toEqual([
      "'code' is left out: it is an ident",
      "'patient_id' is left out: by its n",
      "'remark' is left out: it is free t",
    ]);
    const named = surveyColumns(table, ['code', 'admitted'], ['ill']);
    expect(named).toMatchObject({ features: ['code', 'admitted'], notes: [expect.anything()] });
    const only = await tableOf(['code,ill', ...rows.map((_, i) => `P-${i},yes`)]);
    expect(() => surveyColumns(only, undefined, ['ill'])).toThrow(/no column.*'code' is left out/);
  });

  it('leaves out texts and identifiers that are more than JavaScript can compare', async () => {
    const lines = Array.from({ length: MOST_TEXTS + 2 }, (_, i) => `2024-01-01T${i},1`);
    const table = await tableOf(['at,x,ill', ...lines.map((line, i) => `${line},${i % 2}`)]);
    const { features, notes } = surveyColumns(table, undefined, ['ill']);
    expect(features).toEqual(['x']);
    expect(notes[1]).toMatch(/^'at' is left out: it has more than 1000000 different texts\./);
    const named = /^Column 'at' has more than 1000000 different texts, such as '2024-01-01T0'/;
    expect(() => surveyColumns(table, ['at'], ['ill'])).toThrow(named);
    expect(() => encodeRows(table, { ...ENCODER, features: [AT] })).toThrow(named);

    const count = 2 ** 24 + 2;
    const values = Float64Array.from({ length: count }, (_, row) => row);
    const id = { name: 'id', kind: 'number', values } as const;
    const x = { name: 'x', kind: 'number', values: new Float64Array(count) } as const;
    expect(surveyColumns({ count, columns: [id, x] }, undefined, []).features).toEqual(['x']);
  });

  it('keeps categories, also of many texts, and dates in a plain form', async () => {
    const rows = Array.from({ length: 90 }, (_, i) => `c${i % 30},0${(i % 9) + 1}/03/2024,${i}.5`);
    const table = await tableOf(['city,day,x', ...rows]);
    const { features, notes } = surveyColumns(table, undefined, ['x']);
    expect(features).toEqual(['city']);
    expect(notes[1]).toMatch(/'day' is left out: its dates, such as 01\/03\/2024, may begin/);
    expect(formatsOf(['13/03/2024', '01/02/2024'])).toMatchObject([{ order: 'dmy' }]);
    expect(formatsOf(['02/13/2024'])).toMatchObject([{ order: 'mdy' }]);
    expect(formatsOf(['2024-03-05', 'soon'])).toEqual([]);
  });
});

const two = (n: number) => String(n).padStart(2, '0');

/** A date of JavaScript, written in a format. */
function written(at: Date, { order, separator, time }: DateFormat): string {
  const parts = {
    y: String(at.getUTCFullYear()),
    m: two(at.getUTCMonth() + 1),
    d: two(at.getUTCDate()),
  };
  const date = order
    .split('')
    .map((each) => parts[each as 'y'])
    .join(separator);
  return time === undefined
    ? date
    : `${date}${time}${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:07Z`;
}

const FORMATS: readonly DateFormat[] = [
  { order: 'ymd', separator: '-' },
  { order: 'ymd', separator: '-', time: 'T' },
  { order: 'dmy', separator: '.', time: ' ' },
  { order: 'mdy', separator: '/' },
];
const moment = fc.date({
  min: new Date('1900-01-01'),
  max: new Date('2100-12-31'),
  noInvalidDate: true,
});

describe('dates', () => {
  it.each(FORMATS)(
    'in $order with $separator and $time have the parts of the calendar',
    (format) => {
      fc.assert(
        fc.property(moment, (at) => {
          const weekday = ((at.getUTCDay() + 6) % 7) + 1;
          const date = [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate(), weekday];
          const hour = format.time === undefined ? [] : [at.getUTCHours()];
          expect(partsOf(format, written(at, format))).toEqual([...date, ...hour]);
        }),
      );
      expect(new Set(partsOf(format, 'soon'))).toEqual(new Set([NaN]));
    },
  );

  it.each(FORMATS)(
    'in $order with $separator and $time are read by the served model',
    async (format) => {
      const dates = fc.sample(moment, { numRuns: 40, seed: 3 }).map((at) => written(at, format));
      const table = await tableOf(['day,n,y', ...dates.map((day, i) => `${day},${i},${i % 2}`)]);
      const survey = surveyColumns(table, ['n', 'day'], ['y']);
      const rows = dates.map((_, i) => i);
      const encoder = fitEncoder(table, { target: 'y', rows, ...survey, missing: 'mean' });
      const inner = withEncoder(mlp({ sizes: [encoder.width, 3], seed: 1 }), encoder, 'x');
      const graph = await nativeBackend.open(inner);
      const features = encodeRows(table, encoder).tensors.get('features')!;
      const [wanted] = (await graph.run(new Map([['features', features]]))).values();
      await graph.close();
      const model = readModel(writeModel(withRawColumns(inner, encoder)));
      expect(signatureOf(model).inputs.map(({ name, type }) => [name, type])).toEqual([
        ['n', 'float32'],
        ['day', 'string'],
      ]);
      // The builds of ONNX Runtime add in another order.
      const close = Array.from(values(wanted!) as Float32Array, (each) => expect.closeTo(each, 5));
      for (const found of await answers(model, dates)) {
        expect(Array.from(found)).toEqual(close);
      }
      // A text that is not a date is a missing value in its row alone; the mean stands for it.
      const [broken] = await answers(model, ['soon', ...dates.slice(1)]);
      expect(broken!.every(Number.isFinite)).toBe(true);
      expect(Array.from(broken!.slice(3))).toEqual(close.slice(3));
      expect(signatureOf(withoutRawColumns(model, encoder)).inputs[0]!.name).toBe('features');
    },
    30_000,
  );
});

async function answers(model: Model, dates: readonly string[]): Promise<Float32Array[]> {
  const bytes = writeModel(model);
  const found: Float32Array[] = [];
  for (const [Session, Fed] of [
    [InferenceSession, Tensor],
    [WebSession, WebTensor],
  ] as const) {
    const session = await Session.create(bytes as never);
    const n = new Fed(
      'float32',
      Float32Array.from(dates, (_, i) => i),
      [dates.length],
    );
    const day = new Fed('string', [...dates], [dates.length]);
    const [output] = Object.values(await session.run({ n, day }));
    found.push(output!.data as Float32Array);
    await session.release();
  }
  return found;
}
