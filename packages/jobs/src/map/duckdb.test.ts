/**
 * DuckDB in its process: the order that it keeps, its memory limit, and what is left when its
 * caller stops waiting.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import * as duckdb from './duckdb.ts';
import type { Files } from './duckdb-session.ts';
import { boundsOf, LEAST_MEMORY_BYTES } from './memory.ts';

const MIB = 2 ** 20;
const TIMEOUT = 60_000;

let folder: string;
beforeEach(() => {
  folder = testFolder();
});

async function table(format: Files['format'], rows: readonly string[]): Promise<Files> {
  const file = join(folder, `table.${format}`);
  await writeFile(file, rows.map((row) => `${row}\n`).join(''));
  const bounds = boundsOf({ cores: 1, memoryBytes: LEAST_MEMORY_BYTES });
  return { files: [file], format, view: 'shard', bounds, scratch: folder };
}

async function rowsOf(files: Files, sql: string): Promise<string[]> {
  const target = join(folder, 'out.csv');
  await duckdb.ask('query', { query: { ...files, sql }, target, format: 'csv' });
  return (await readFile(target, 'utf8')).trim().split('\n').slice(1);
}

describe('boundsOf', () => {
  it('leaves room beside the memory that DuckDB counts, and enough for each thread', () => {
    expect(boundsOf({ cores: 0.5, memoryBytes: 320 * MIB })).toEqual({
      processBytes: 320 * MIB,
      memoryBytes: 128 * MIB,
      threads: 1,
    });
    expect(boundsOf({ cores: 8, memoryBytes: 600 * MIB }).threads).toBe(3);
    expect(boundsOf({ cores: 2, memoryBytes: 4096 * MIB }).threads).toBe(2);
    expect(() => boundsOf({ cores: 1, memoryBytes: 319 * MIB })).toThrow('at least 320 MiB');
  });
});

describe('a statement', () => {
  it.each(['csv', 'jsonl'] as const)(
    'gets the rows of %s in their order',
    async (format) => {
      const ids = Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 300_000);
      const rows = ids.map((id) => (format === 'csv' ? String(id) : JSON.stringify({ id })));
      const files = await table(format, format === 'csv' ? ['id', ...rows] : rows);
      expect(await rowsOf(files, 'FROM shard')).toEqual(ids.map(String));
    },
    TIMEOUT,
  );

  it('sorts more JSON than it may have memory', { timeout: TIMEOUT }, async () => {
    const count = 600_000;
    const pad = 'x'.repeat(300);
    const rows = Array.from({ length: count }, (_, i) =>
      JSON.stringify({ id: (i * 7919) % count, pad }),
    );
    const files = await table('jsonl', rows);
    expect(rows.length * (rows[0]?.length ?? 0)).toBeGreaterThan(files.bounds.memoryBytes);
    const sorted = await rowsOf(files, 'FROM shard ORDER BY id');
    const ids = sorted.map((row) => row.replace(/,.*/, ''));
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => String(i)));
  });

  it('fails with MEMORY_SHORT when it cannot spill the rows', { timeout: TIMEOUT }, async () => {
    const rows = Array.from({ length: 400_000 }, (_, i) => `${'x'.repeat(500)}${i}`);
    const files = await table('csv', ['text', ...rows]);
    await expect(rowsOf(files, 'SELECT string_agg(text) FROM shard')).rejects.toMatchObject({
      code: 'MEMORY_SHORT',
      message: expect.stringMatching(/^DuckDB cannot hold the rows: .*Out of Memory Error.*$/),
    });
  });

  it('ends when its process exceeds the memory of the job', async () => {
    const files = await table('csv', ['id', '1']);
    // Node alone takes more.
    const bounds = { ...files.bounds, processBytes: 16 * MIB };
    const endless =
      'SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE a.range = -b.range';
    await expect(rowsOf({ ...files, bounds }, endless)).rejects.toMatchObject({
      code: 'MEMORY_SHORT',
      message: expect.stringContaining('16 MiB of its job'),
    });
  });
});

describe('a partition', () => {
  const PARTITIONS = 64;

  /** The partition of the only row of a Parquet file whose key is that expression. */
  async function partitionOf(key: string): Promise<number> {
    // DuckDB writes beside a file that exists, where it may not.
    folder = testFolder();
    const files = await table('csv', ['x', '1']);
    const file = join(folder, 'key.parquet');
    const query = { ...files, sql: `SELECT ${key} AS key FROM shard` };
    await duckdb.ask('query', { query, target: file, format: 'parquet' });
    const { value } = await duckdb.ask('partition', {
      files: { ...files, files: [file], format: 'parquet' },
      by: { columns: ['KEY'], partitions: PARTITIONS },
      folder,
    });
    return value.findIndex((found) => found !== undefined);
  }

  it.each([
    ["7::INTEGER, 7::BIGINT, 7::DOUBLE, 7::FLOAT, 7::DECIMAL(9, 2), '7', '7.0'"],
    ["true, 1::DOUBLE, 'true'"],
    ["0.1::FLOAT, '0.1', 0.1::DOUBLE, 0.1::FLOAT::DOUBLE, 0.1::DECIMAL(9, 2)"],
    ["16777217::BIGINT, 16777217::DOUBLE, '16777217'"],
    ['[1::INTEGER], [1::DOUBLE], [1::DECIMAL(9, 2)]'],
    [`{'FLOAT': 1::TINYINT}, {'FLOAT': 1::FLOAT}, {'FLOAT': true}`],
    [`MAP {'DECIMAL(1)': [1::INTEGER]}, MAP {'DECIMAL(1)': [1::FLOAT]}`],
    [`{'e': 'BIGINT'::ENUM('BIGINT')}, {'e': 'BIGINT'}`],
    ["DATE '2026-01-02', TIMESTAMP '2026-01-02', '2026-01-02', '2026-01-02 00:00:00'"],
    ["DATE '0044-03-15 (BC)', TIMESTAMP '0044-03-15 (BC) 00:00:00', '0044-03-15 (BC)'"],
    ["DATE '5877642-06-25 (BC)', '5877642-06-25 (BC)'"],
    ["TIME '12:30:00', '12:30:00'"],
    [`UUID '12345678-1234-1234-1234-12345678abcd', '12345678-1234-1234-1234-12345678ABCD'`],
    ["'5'::JSON, '5'"],
    ["INTERVAL '1 month', INTERVAL '30 days'"],
    ['NULL::INTEGER, NULL::DOUBLE, NULL::VARCHAR'],
  ])(
    'holds the keys that are equal in one type: %s',
    async (keys) => {
      const found: number[] = [];
      for (const key of keys.split(/, (?!2\))/)) found.push(await partitionOf(key));
      expect(new Set(found).size).toBe(1);
      expect(found[0]).toBeGreaterThanOrEqual(0);
    },
    TIMEOUT,
  );

  it('differs between keys that differ', { timeout: TIMEOUT }, async () => {
    const found = new Set<number>();
    for (const key of ['1', '2', '3', "'a'", "'b'", "'c'"]) found.add(await partitionOf(key));
    expect(found.size).toBeGreaterThan(3);
  });
});
