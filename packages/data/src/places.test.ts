/** Places of rows are those in the files, whatever reads them. */
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { openEngines } from './engine/engines.ts';
import { boundsOf } from './engine/memory.ts';
import type { Table } from './engine/reader.ts';
import { numbered, rowsAt } from './places.ts';
import { writeRows } from './testing/parquet.ts';

const FILES = 3;
const ROWS = 200_000;
const engines = openEngines();
const ask = engines.of('tests');
afterAll(() => engines[Symbol.asyncDispose]());

let folder: string;
const tables: Record<string, Table> = {};
beforeAll(async () => {
  folder = testFolder();
  const files = (format: string): string[] =>
    Array.from({ length: FILES }, (_, at) => join(folder, `${FILES - at}.${format}`));
  for (const [at, file] of files('csv').entries()) {
    const rows = Array.from({ length: ROWS }, (_, row) => at * ROWS + row + 1);
    await writeFile(file, `id,"place"\n${rows.map((id) => `${id},x`).join('\n')}\n`);
    const parquet = files('parquet')[at]!;
    await writeRows(
      parquet,
      `SELECT i AS id, 'x' AS place FROM range(${at * ROWS + 1}, ${(at + 1) * ROWS + 1}) t(i)`,
    );
  }
  tables['csv'] = { files: files('csv'), format: 'csv' };
  tables['parquet'] = { files: files('parquet'), format: 'parquet' };
});

it.each([
  ['csv', 1],
  ['csv', 2],
  ['parquet', 1],
  ['parquet', 2],
] as const)(
  'numbers the rows of %s with %d threads',
  { timeout: 60_000 },
  async (format, cores) => {
    const data = tables[format]!;
    const bounds = boundsOf({ cores, memoryBytes: 1024 * 2 ** 20 });
    let statements = 0;
    const answer = async (sql: string, given: Record<string, Table>, to: 'csv' | 'parquet') => {
      const target = join(folder, `${format}-${cores}-${++statements}`);
      mkdirSync(target);
      const work = { tables: given, sql, format: to, folder: target, bounds, scratch: target };
      return (await ask('statement', work)).value.files.flat();
    };
    const wrong = `SELECT count(*) AS wrong FROM (${numbered(['id'])}) WHERE id <> place`;
    expect(await readFile((await answer(wrong, { data }, 'csv'))[0]!, 'utf8')).toBe('wrong\n0\n');
    // Two of three rows, so that the table with the places is not the smaller one.
    const places = `SELECT place FROM (${numbered([])}) WHERE place % 3 > 0`;
    const chosen: Table = { files: await answer(places, { data }, 'parquet'), format: 'parquet' };
    for (const isIn of [true, false]) {
      const sql = rowsAt(['id', 'place'], 'chosen', isIn);
      const [file] = await answer(sql, { data, chosen }, 'csv');
      const [header, ...rows] = (await readFile(file!, 'utf8')).trim().split('\n');
      expect(header).toBe('id,place');
      const ids = Array.from({ length: FILES * ROWS }, (_, at) => at + 1);
      const expected = ids.filter((id) => id % 3 > 0 === isIn).map((id) => `${id},x`);
      const other = rows.findIndex((row, at) => row !== expected[at]);
      expect([rows.length, other]).toEqual([expected.length, -1]);
    }
  },
);
