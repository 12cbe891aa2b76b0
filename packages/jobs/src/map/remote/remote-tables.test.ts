/** Statements over files of a server on loopback, against the same statements over the files themselves. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEngines } from '@skein/data';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { query } from '../../../../data/src/testing/parquet.ts';
import {
  startFileServer,
  type FileServer,
} from '../../../../state/src/sources/testing/file-server.ts';
import { describedTables, listedTables } from '../describe-tables.ts';
import { runStatement } from '../run-statement.ts';
import type { JobTable } from '../job-table.ts';
import { inlineTools, type InlineTools } from '../testing/inline-tools.ts';
import type { CopiesOptions } from './copies.ts';

const NAMES = ['a.parquet', 'b.parquet', 'rows.csv'];
const MIB = 2 ** 20;

let folder: string;
let server: FileServer;
let count = 0;
const engines = openEngines();
beforeAll(async () => {
  folder = testFolder();
  server = await startFileServer();
  for (const [at, name] of NAMES.slice(0, 2).entries()) {
    await query(
      `COPY (SELECT i::INTEGER AS id, hash(i)::VARCHAR AS a, hash(i + 1)::VARCHAR AS b, random() AS c, random() AS d,
              {'x': i, 'y': random()} AS e, hash(i + 2) AS f, i % 5 AS g, i / 8 AS h
         FROM range(${at * 65_536}, ${(at + 1) * 65_536}) t(i)) TO '${join(folder, name)}' (FORMAT parquet, ROW_GROUP_SIZE 16384)`,
    );
  }
  const rows = Array.from({ length: 500 }, (_, i) => `${i},${i % 7}`);
  writeFileSync(join(folder, 'rows.csv'), `id,k\n${rows.join('\n')}\n`);
});
beforeEach(() => {
  for (const name of NAMES) server.files.set(`/${name}`, readFileSync(join(folder, name)));
  Object.assign(server, { hasRanges: true, sentBytes: 0 });
  server.requests.length = 0;
});
afterAll(async () => {
  await engines[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const remote = (...names: string[]): JobTable => ({
  format: names[0]!.endsWith('csv') ? 'csv' : 'parquet',
  shards: [],
  addresses: names.map((name) => `${server.url}/${name}`),
  access: { allowPrivate: true },
});
function local(...names: string[]): JobTable {
  const shards = names.map((name) => {
    const path = join(folder, name);
    const { size, mtimeMs } = statSync(path);
    return { path, sizeBytes: size, modifiedMs: mtimeMs };
  });
  return { format: names[0]!.endsWith('csv') ? 'csv' : 'parquet', shards };
}

function opened(options: Partial<CopiesOptions> = {}): InlineTools & { readonly at: string } {
  const at = join(folder, `artifacts-${count++}`);
  mkdirSync(at);
  return { ...inlineTools(at, options, engines), at };
}

async function rowsOf(
  sql: string,
  tables: Record<string, JobTable>,
  { inline = opened(), slots = 1 } = {},
): Promise<string[]> {
  const tools = inline.tools(slots, 64 * 1024);
  const known = await describedTables(await listedTables(tables, tools), tools);
  const given = { sql, tables: known, group: undefined, format: 'csv', explain: false } as const;
  const shards = (await runStatement(given, tools)) ?? [];
  return shards
    .flatMap(({ digest }) =>
      readFileSync(inline.pathOf(digest), 'utf8').trim().split('\n').slice(1),
    )
    .toSorted();
}
const sizeOf = (...names: string[]): number =>
  names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

const STATEMENTS = [
  'SELECT g, sum(id) AS s FROM data GROUP BY g',
  'SELECT count(*), max(a) FROM data WHERE id BETWEEN 70000 AND 70500',
  "SELECT id, e.y FROM data WHERE a < '11' AND e.x > 5",
  'SELECT id, h FROM data ORDER BY f LIMIT 5',
  'SELECT x.id, y.c FROM data x JOIN data y ON x.id = y.id + 1 WHERE y.g = 3 AND x.id < 900',
  'SELECT data.id, k FROM data JOIN others USING (id) WHERE k = 2',
  'SELECT count(*) FROM data',
  'SELECT id FROM data WHERE a IN (SELECT max(a) FROM data)',
];

describe('a statement over remote files', () => {
  it.each(STATEMENTS)('%s', { timeout: 60_000 }, async (sql) => {
    const others = sql.includes('others') ? { others: remote('rows.csv') } : {};
    const theirs = sql.includes('others') ? { others: local('rows.csv') } : {};
    const expected = await rowsOf(sql, { data: local('a.parquet', 'b.parquet'), ...theirs });
    for (const slots of [1, 3]) {
      const data = remote('a.parquet', 'b.parquet');
      const inline = opened();
      expect(await rowsOf(sql, { data, ...others }, { slots, inline })).toEqual(expected);
      // All of a file is fetched where the plan of a statement did not show what it reads.
      for (const line of inline.logs) {
        const [, part, all] = /^(\d+) of (\d+) bytes of [12] remote/.exec(line) ?? [];
        if (Number(all) > MIB) expect(Number(part)).toBeLessThan(Number(all));
      }
    }
  });

  it('fetches the columns that it reads, and the row groups that can fit', async () => {
    const all = sizeOf('a.parquet', 'b.parquet');
    const data = remote('a.parquet', 'b.parquet');
    const inline = opened();
    await rowsOf('SELECT g, sum(id) AS s FROM data GROUP BY g', { data }, { inline });
    const columns = server.sentBytes / all;
    expect(columns).toBeLessThan(0.12);
    expect(inline.logs.join()).toMatch(/\d+ of \d+ bytes of 2 remote files were fetched/);
    server.sentBytes = 0;
    await rowsOf('SELECT max(a) FROM data WHERE id BETWEEN 70000 AND 70500', { data });
    // A row group in one of the files, of its eight, and the footers.
    expect(server.sentBytes / all).toBeLessThan(0.12);
    server.sentBytes = 0;
    await rowsOf('SELECT g, sum(id) AS s FROM data GROUP BY g', { data }, { inline });
    expect(server.sentBytes).toBeLessThan(10);
  });

  it('fetches each file once from a server without ranges', async () => {
    server.hasRanges = false;
    const data = remote('a.parquet');
    const sql = STATEMENTS[0]!;
    expect(await rowsOf(sql, { data })).toEqual(await rowsOf(sql, { data: local('a.parquet') }));
    const whole = sizeOf('a.parquet');
    // The first answer gives size and identity, and is abandoned.
    expect(server.sentBytes).toBe(2 * whole);
  });

  it('is refused where a file changes meanwhile', async () => {
    const inline = opened();
    const tools = inline.tools(1, MIB);
    const known = await listedTables({ data: remote('a.parquet') }, tools);
    server.files.set('/a.parquet', readFileSync(join(folder, 'b.parquet')));
    const given = { sql: 'FROM data', tables: known, group: undefined, format: 'csv' } as const;
    const refused = runStatement({ ...given, explain: false }, tools);
    await expect(refused).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(readdirSync(join(inline.at, 'remote'))).toEqual([]);
  });

  it('leaves nothing on a full disk', async () => {
    const inline = opened({ keptFreeBytes: 2 ** 60 });
    const full = rowsOf('FROM data', { data: remote('a.parquet') }, { inline });
    await expect(full).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(readdirSync(join(inline.at, 'remote'))).toEqual([]);
  });

  it('keeps copies within their bound', async () => {
    const inline = opened({ maxBytes: 1.5 * sizeOf('a.parquet') });
    for (const name of ['a.parquet', 'b.parquet']) {
      await rowsOf('FROM data', { data: remote(name) }, { inline });
    }
    expect(readdirSync(join(inline.at, 'remote'))).toHaveLength(1);
  });

  it('has the columns of folders that the address names, and of no others', async () => {
    const path = '/x/..%2Fy=1/year=2026/rows.csv';
    server.files.set(path, server.files.get('/rows.csv')!);
    const data = { ...remote('rows.csv'), addresses: [`${server.url}${path}`] };
    expect(await rowsOf('SELECT DISTINCT year FROM data', { data })).toEqual(['2026']);
  });
});
