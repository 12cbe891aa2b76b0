import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { values, type NumericTensor } from '@skein/onnx';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { openRowStore } from '../../data/rows/file-rows.ts';
import { blockOf } from '../../data/table/column.ts';
import type { TrainingData } from '../../task/training-data.ts';
import { npy, npz } from '../../testing/npy.ts';
import { readTrainingData, type DataChoice } from './data-files.ts';

const folder = testFolder();

const store = openRowStore(join(folder, 'stored'), 1 << 20);
afterAll(() => store.close());

function read(given: string, more: Partial<DataChoice> = {}): Promise<TrainingData> {
  return readTrainingData({
    path: join(folder, given),
    given,
    missing: 'refuse',
    imageSize: () => ({ channels: 3, height: 2, width: 3 }),
    store,
    ...more,
  });
}
const write = (name: string, content: string | Uint8Array) =>
  writeFile(join(folder, name), content);
const fixture = (name: string) => join(import.meta.dirname, '../../data/formats/fixtures', name);

describe('tables', () => {
  it.each([
    ['t.csv', 'a,y\n1,u\n2,v\n'],
    ['t.csv.gz', gzipSync('a,y\n1,u\n2,v\n')],
    ['t.tsv', 'a\ty\n1\tu\n2\tv\n'],
    ['t.jsonl', '{"a":1,"y":"u"}\n{"a":2,"y":"v"}\n'],
  ])('%s', async (name, content) => {
    await write(name, content);
    expect(await read(name, { label: 'y' })).toEqual({
      from: 'table',
      label: 'y',
      table: {
        count: 2,
        columns: [
          { name: 'a', kind: 'number', values: Float64Array.of(1, 2) },
          { name: 'y', kind: 'category', codes: Int32Array.of(0, 1), categories: ['u', 'v'] },
        ],
      },
    });
  });

  it.each(['csv', 'parquet'] as const)(
    'reads the columns that are named, of %s',
    async (format) => {
      await write('gaps.csv', 'a,b,w,y\n1,,2,u\n2,7,2,v\n');
      await copyFile(fixture('people-snappy.parquet'), join(folder, 'gaps.parquet'));
      const choice = {
        csv: { label: 'y', features: ['a'], weights: 'w' },
        parquet: { label: 'visits', features: ['visits'] },
      };
      const { [format]: own } = choice;
      const named = await read(`gaps.${format}`, own);
      if (named.from !== 'table') throw new TypeError('It is a table.');
      const wanted = new Set(Object.values(own).flat());
      for (const column of named.table.columns) {
        const numbers = [...blockOf(column, 0, named.table.count)];
        expect(numbers.every(Number.isNaN), column.name).toBe(!wanted.has(column.name));
      }
    },
  );

  it('of Parquet, without the rows that lack something in a column that is used', async () => {
    await copyFile(fixture('people-snappy.parquet'), join(folder, 'people.parquet'));
    const all = await read('people.parquet', { label: 'ill', missing: 'drop' });
    expect(all.from === 'table' && all.table.count).toBe(5);
    const few = await read('people.parquet', {
      label: 'ill',
      missing: 'drop',
      features: ['visits', 'age'],
    });
    expect(few.from === 'table' && few.table.count).toBe(6);
  });
});

describe('arrays', () => {
  it('of an archive, by their names', async () => {
    await write('a.npz', npz({ x: npy([3, 2], [1, 2, 3, 4, 5, 6]), y: npy([3], [0, 1, 0]) }));
    const data = await read('a.npz');
    if (data.from !== 'arrays') throw new Error('no arrays');
    expect([...data.inputs.keys()]).toEqual(['x']);
    expect([...(values(data.labels) as Float32Array)]).toEqual([0, 1, 0]);
    await expect(read('a.npz', { label: 'z' })).rejects.toMatchObject({
      code: 'TRAINING_DATA_INVALID',
      message: "a.npz: There is no array 'z' of labels, only x, y; `label` names it.",
    });
  });

  it('of a pair of files, finds the second where the name of the first implies it', async () => {
    await write('x.npy', npy([2, 2], [1, 2, 3, 4]));
    await write('y.npy', npy([2], [1, 0]));
    const pair = await read('x.npy', { labels: join(folder, 'y.npy') });
    if (pair.from !== 'arrays') throw new Error('no arrays');
    expect(pair.labels.shape).toEqual([2]);
    await expect(read('x.npy')).rejects.toMatchObject({ code: 'USAGE' });
    const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6);
    await write('t-images-idx3-ubyte.gz', gzipSync(images));
    await write('t-labels-idx1-ubyte.gz', gzipSync(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 3, 5)));
    const mnist = await read('t-images-idx3-ubyte.gz');
    if (mnist.from !== 'arrays') throw new Error('no arrays');
    expect(mnist.inputs.get('features')).toMatchObject({ type: 'uint8', shape: [2, 1, 2] });
    expect([...(values(mnist.labels) as Uint8Array)]).toEqual([3, 5]);
  });
});

describe('folders of images', () => {
  const picture = (background: string) =>
    sharp({ create: { width: 30, height: 20, channels: 3, background } });

  it('give planes of bytes, and classes by their folders', async () => {
    await mkdir(join(folder, 'images/sky'), { recursive: true });
    await mkdir(join(folder, 'images/grass'));
    await picture('#102030').png().toFile(join(folder, 'images/sky/1.png'));
    await picture('#00ff00').webp({ lossless: true }).toFile(join(folder, 'images/grass/2.webp'));
    const data = await read('images');
    if (data.from !== 'arrays') throw new Error('no arrays');
    expect(data.classes).toEqual(['grass', 'sky']);
    expect([...(values(data.labels) as BigInt64Array)]).toEqual([0n, 1n]);
    const plane = (value: number) => Array.from({ length: 6 }, () => value);
    expect(data.inputs.get('pixels')).toEqual({
      type: 'uint8',
      shape: [2, 3, 2, 3],
      bytes: Uint8Array.from([0, 255, 0, 0x10, 0x20, 0x30].flatMap(plane)),
    });
    const grey = await read('images', {
      imageSize: () => ({ channels: 1, height: 1, width: 1 }),
    });
    expect(grey.from === 'arrays' && grey.inputs.get('pixels')!.shape).toEqual([2, 1, 1, 1]);
  });

  it('may have a manifest, with the class of each', async () => {
    await mkdir(join(folder, 'listed/scans'), { recursive: true });
    await picture('#102030').png().toFile(join(folder, 'listed/scans/a.png'));
    await picture('#00ff00').png().toFile(join(folder, 'listed/b.png'));
    await write('listed/manifest.csv', 'kind,file,age\nsky,scans/a.png,3\ngrass,b.png,4\n');
    const data = await read('listed', { label: 'kind' });
    if (data.from !== 'arrays') throw new Error('no arrays');
    expect(data.classes).toEqual(['grass', 'sky']);
    expect([...(values(data.labels) as BigInt64Array)]).toEqual([1n, 0n]);
    const pixels = data.inputs.get('pixels') as NumericTensor;
    expect([pixels.shape, pixels.bytes[0]]).toEqual([[2, 3, 2, 3], 0x10]);
    await expect(read('listed')).rejects.toThrow("no column 'label'");
    await write('listed/manifest.csv', 'kind,file\nsky,../images/sky/1.png\n');
    await expect(read('listed', { label: 'kind' })).rejects.toThrow('outside the folder');
  });

  it('name the file that is not an image, and the folder that is empty', async () => {
    await mkdir(join(folder, 'broken/a'), { recursive: true });
    await expect(read('broken')).rejects.toThrow("The folder 'a' holds no images.");
    await write('broken/a/x.png', 'no image');
    await expect(read('broken')).rejects.toThrow(/x\.png' cannot be decoded as an image/);
    await mkdir(join(folder, 'flat'));
    await expect(read('flat')).rejects.toThrow('must be one for each class');
  });
});

it('lists the endings that it reads, and what is not there', async () => {
  await write('data.xlsx', '');
  await expect(read('data.xlsx')).rejects.toMatchObject({ code: 'USAGE' });
  await expect(read('none.csv')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
});
