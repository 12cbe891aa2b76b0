import { appendFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataVersion, DataVersionDetail } from '@skein/api';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { lineageMetadata } from '../../../../state/src/runs/run-versions.ts';
import { runCli } from '../../testing/cli.ts';
import type { MapOutcome } from '../jobs/map.ts';
import type { Trained } from '../training/train.ts';

let folder: string;
beforeAll(async () => {
  folder = testFolder();
  await writeFile(join(folder, 'a.csv'), 'id,born,size\n1,2020-01-02,1.5\n2,,2\n');
  await writeFile(join(folder, 'b.csv'), 'id,born,size\n3,2021-05-06,x\n');
});

async function cli<T>(...words: string[]): Promise<T> {
  const { code, stdout, stderr } = await runCli([...words, '--json'], { cwd: folder });
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout) as T;
}

async function refused(...words: string[]): Promise<{ code: string; error: string }> {
  const { code, stdout } = await runCli([...words, '--json'], { cwd: folder });
  expect(code).not.toBe(0);
  return JSON.parse(stdout) as { code: string; error: string };
}

const rowsOf = async (...words: string[]) =>
  (await cli<MapOutcome>('map', '--data', ...words, '--format', 'jsonl')).rows
    ?.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

it('stores files as versions, which stand wherever a table does', async () => {
  const first = await cli<DataVersion>('data', 'add', 'people', 'a.csv', '--note', 'first');
  expect(first).toMatchObject({ name: 'people', version: '1', rows: 2, files: 1, note: 'first' });
  expect(await cli('data', 'add', 'people', 'a.csv')).toEqual(first);
  expect(await cli('data', 'add', 'people', 'a.csv', 'b.csv')).toMatchObject({ version: '2' });
  const shown = await cli<DataVersionDetail>('data', 'show', 'people@1');
  expect(shown.from).toEqual({ files: ['a.csv'] });
  expect(shown.contents.columns).toEqual([
    { name: 'id', type: 'BIGINT' },
    { name: 'born', type: 'DATE' },
    { name: 'size', type: 'DOUBLE' },
  ]);
  const newest = await cli<DataVersionDetail>('data', 'show', 'people');
  expect(newest.contents.columns.at(-1)).toEqual({ name: 'size', type: 'VARCHAR' });
  // An unchanged file is stored once.
  expect(newest.contents.files[0]).toEqual(shown.contents.files[0]);

  await writeFile(join(folder, 'a.csv'), 'id\n9\n');
  const sql = 'SELECT sum(size) AS size, (SELECT count(*) FROM two) AS rows FROM data';
  expect(await rowsOf('people@1', '--data', 'two=people@2', '--sql', sql)).toEqual([
    { size: 3.5, rows: 3 },
  ]);
  expect(await refused('map', '--data', 'people@7', '--sql', sql)).toMatchObject({
    code: 'DATA_UNKNOWN',
    error: 'The data set "people" has no version @7; it has @2, @1.',
  });
  const { versions } = await cli<{ versions: DataVersion[] }>('data', 'ls', 'people');
  expect(versions.map(({ version }) => version)).toEqual(['2', '1']);
});

it('refuses a version whose file has changed where it lies, and takes one that was only touched', async () => {
  const path = join(folder, 'placed.csv');
  await writeFile(path, 'id\n1\n2\n');
  const added = await cli<DataVersion>('data', 'add', 'placed', 'placed.csv', '--in-place');
  expect(added).toMatchObject({ inPlace: true, rows: 2 });
  const sql = 'SELECT count(*) AS rows FROM data';
  await utimes(path, 1, 1);
  expect(await rowsOf('placed@1', '--sql', sql)).toEqual([{ rows: 2 }]);
  await appendFile(path, '3\n');
  expect(await refused('map', '--data', 'placed@1', '--sql', sql)).toMatchObject({
    code: 'DATA_CHANGED',
    error: `${path} has changed: it is a file of placed@1.`,
  });
});

it('keeps where a version comes from, and leads to the runs that were trained on it', async () => {
  const rows = (from: number) =>
    Array.from({ length: 40 }, (_, i) => `${from + i},${(from + i) % 2 === 0 ? 'even' : 'odd'}`);
  await writeFile(join(folder, 'one.csv'), ['x,kind', ...rows(0)].join('\n'));
  await writeFile(join(folder, 'two.csv'), ['x,kind', ...rows(40)].join('\n'));
  await cli('data', 'add', 'numbers', 'one.csv', 'two.csv');
  const sql = 'SELECT x % 10 AS digit, kind FROM data';
  const words = ['--data', 'numbers@1', '--sql', sql, '--save', 'digits', '--format', 'parquet'];
  const { job, saved } = await cli<MapOutcome>('map', ...words);
  const { manifest } = await cli<DataVersionDetail>('data', 'show', 'numbers@1');
  const parent = { name: 'numbers', version: '1', manifest };
  expect(saved).toMatchObject({ name: 'digits', version: '1', rows: 80, format: 'parquet' });
  expect(saved?.from).toEqual({ files: [], job: job.id, versions: [parent], statement: sql });

  const train = async (data: string) =>
    cli<Trained>('train', '--model', 'mlp:2', '--data', data, '--label', 'kind', '--epochs', '1');
  // One file as it is; several in one file of Parquet.
  const onDigits = await train('digits@1');
  const onNumbers = await train('numbers@1');
  expect(onNumbers.run.lineage.data).toMatchObject([
    { path: 'numbers@1', rows: 80, version: parent },
  ]);
  expect(lineageMetadata(onNumbers.run)).toMatchObject({ dataSet: 'numbers@1' });
  const { uses } = await cli<DataVersionDetail>('data', 'show', 'numbers');
  expect(uses).toEqual({
    versions: [{ name: 'digits', version: '1', manifest: saved?.manifest }],
    runs: [{ id: onNumbers.run.id, status: 'finished', models: [] }],
  });
  expect((await cli<DataVersionDetail>('data', 'show', 'digits')).uses.runs).toMatchObject([
    { id: onDigits.run.id },
  ]);

  expect(await cli('data', 'diff', 'numbers@1', 'digits@1')).toMatchObject({
    versions: ['numbers@1', 'digits@1'],
    rows: [80, 80],
    files: [2, 1],
    sameFiles: 0,
    columns: [
      { name: 'x', before: 'BIGINT' },
      { name: 'digit', after: 'BIGINT' },
    ],
  });
  expect(await cli('data', 'head', 'digits', '--rows', '2')).toEqual({
    columns: ['digit', 'kind'],
    rows: [
      { digit: 0, kind: 'even' },
      { digit: 1, kind: 'odd' },
    ],
  });
  await cli('data', 'rm', 'digits@1');
  expect(await refused('data', 'head', 'digits')).toMatchObject({
    error: 'There is no data set "digits".',
  });
  expect(await refused('map', '--data', 'one.csv', '--sql', sql, '--save', 'Digits')).toMatchObject(
    {
      code: 'USAGE',
    },
  );
});
