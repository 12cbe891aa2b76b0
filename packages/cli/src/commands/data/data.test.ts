import { appendFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataVersion, DataVersionDetail } from '@skein/api';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli } from '../../testing/cli.ts';
import type { MapOutcome } from '../jobs/map.ts';

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
