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
  it('leaves memory beyond what DuckDB counts, and enough for each thread', () => {
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

  /** The partition of the only row of a Parquet file whose key is that expression, and the type of the key. */
  async function partitionOf(key: string, type?: string) {
    // DuckDB writes next to a file that exists, where it may not.
    folder = testFolder();
    const files = await table('csv', ['x', '1']);
    const file = join(folder, 'key.parquet');
    const query = { ...files, sql: `SELECT ${key} AS key FROM shard` };
    await duckdb.ask('query', { query, target: file, format: 'parquet' });
    const { value } = await duckdb.ask('partition', {
      files: { ...files, files: [file], format: 'parquet' },
      by: {
        columns: ['KEY', 'key'],
        partitions: PARTITIONS,
        types: type === undefined ? undefined : [type, type],
      },
      folder,
    });
    return { at: value.files.findIndex((found) => found !== undefined), types: value.types };
  }

  it.each([
    ['7::INTEGER', "'7'", 'VARCHAR'],
    ['1e20::FLOAT', "'1e+20'", 'VARCHAR'],
    ['[1, 2]', "['1', '2']", 'VARCHAR[]'],
    ["{'a': 1}", "{'a': '1'}", 'STRUCT(a VARCHAR)'],
    ["DATE '2026-01-02'", "TIMESTAMP '2026-01-02'", 'TIMESTAMP'],
  ])('holds the keys %s and %s, which are equal as %s', async (one, other, type) => {
    const { at, types } = await partitionOf(one, type);
    expect(at).toBeGreaterThanOrEqual(0);
    expect((await partitionOf(other, type)).at).toBe(at);
    const [own] = (await partitionOf(other)).types;
    expect(own).not.toBe(types[0]);
  });

  it.each([
    ["INTERVAL '1 month'", "INTERVAL '30 days'"],
    ['0.0::DOUBLE', '-0.0::DOUBLE'],
    ["'nan'::FLOAT", "'-nan'::FLOAT"],
    ['NULL::INTEGER', 'NULL::INTEGER'],
  ])('holds the keys %s and %s, which are equal in their type', async (one, other) => {
    expect(await partitionOf(one)).toEqual(await partitionOf(other));
  });

  it('differs between keys that differ', { timeout: TIMEOUT }, async () => {
    const found = new Set<number>();
    for (const key of ['1', '2', '3', "'a'", "'b'", "'c'"]) found.add((await partitionOf(key)).at);
    expect(found.size).toBeGreaterThan(3);
  });
});
