/**
 * DuckDB in its process: the order that it keeps, its memory limit, and what is left when its
 * caller stops waiting.
 */
import { mkdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { DataFormat } from '../data-set.ts';
import { openEngines, type Ask, type Engines } from './engines.ts';
import { boundsOf, LEAST_MEMORY_BYTES, type Bounds } from './memory.ts';
import type { Table } from './reader.ts';

const MIB = 2 ** 20;
const TIMEOUT = 60_000;
const BOUNDS = boundsOf({ cores: 1, memoryBytes: LEAST_MEMORY_BYTES });

let engines: Engines;
let ask: Ask;
let folder: string;
beforeAll(() => {
  engines = openEngines();
  ask = engines.of('tests');
});
afterAll(() => engines[Symbol.asyncDispose]());
beforeEach(() => {
  folder = testFolder();
});

async function tableOf(format: DataFormat, rows: readonly string[]): Promise<Table> {
  const file = join(folder, `table.${format}`);
  await writeFile(file, rows.map((row) => `${row}\n`).join(''));
  return { files: [file], format };
}

let statements = 0;
function statement(data: Table, sql: string, format: DataFormat = 'csv', bounds: Bounds = BOUNDS) {
  const target = join(folder, `out-${++statements}`);
  mkdirSync(target);
  return { tables: { data }, sql, format, folder: target, bounds, scratch: target };
}

async function rowsOf(data: Table, sql: string, bounds?: Bounds): Promise<string[]> {
  const { value } = await ask('statement', statement(data, sql, 'csv', bounds));
  return (await readFile(value.files[0]![0]!, 'utf8')).trim().split('\n').slice(1);
}

describe('boundsOf', () => {
  it('leaves memory beyond what DuckDB counts, and enough for each thread', () => {
    expect(boundsOf({ cores: 0.5, memoryBytes: 320 * MIB })).toEqual({
      processBytes: 320 * MIB,
      memoryBytes: 128 * MIB,
      threads: 1,
    });
    expect(boundsOf({ cores: 8, memoryBytes: 704 * MIB })).toMatchObject({
      memoryBytes: 3 * 128 * MIB,
      threads: 3,
    });
    expect(boundsOf({ cores: 8, memoryBytes: 703 * MIB }).threads).toBe(2);
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
      const data = await tableOf(format, format === 'csv' ? ['id', ...rows] : rows);
      expect(await rowsOf(data, 'FROM data')).toEqual(ids.map(String));
    },
    TIMEOUT,
  );

  it('reports how much of its input it has read', { timeout: TIMEOUT }, async () => {
    // Several of the pieces that DuckDB reads at once.
    const rows = Array.from({ length: 400_000 }, (_, i) => `${i}${'x'.repeat(300)}`);
    const data = await tableOf('csv', ['text', ...rows]);
    const digests = Array.from({ length: 9 }, (_, i) => `max(sha256(text || '${i}'))`);
    const slow = `SELECT ${digests.join(', ')} FROM data`;
    const seen = Promise.withResolvers<number>();
    const enough = new AbortController();
    const onProgress = (fraction: number) => {
      if (fraction === 0) return;
      seen.resolve(fraction);
      enough.abort();
    };
    const options = { onProgress, signal: enough.signal };
    await ask('statement', statement(data, slow), options).then(
      () => seen.reject(new Error('The statement ended before any progress.')),
      () => undefined,
    );
    expect(await seen.promise).toBeLessThan(1);
  });

  it('sorts more JSON than it may have memory', { timeout: TIMEOUT }, async () => {
    const count = 600_000;
    const pad = 'x'.repeat(300);
    const rows = Array.from({ length: count }, (_, i) =>
      JSON.stringify({ id: (i * 7919) % count, pad }),
    );
    const data = await tableOf('jsonl', rows);
    expect(rows.length * (rows[0]?.length ?? 0)).toBeGreaterThan(BOUNDS.memoryBytes);
    const sorted = await rowsOf(data, 'FROM data ORDER BY id');
    const ids = sorted.map((row) => row.replace(/,.*/, ''));
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => String(i)));
  });

  it('fails with MEMORY_SHORT when it cannot spill the rows', { timeout: TIMEOUT }, async () => {
    const rows = Array.from({ length: 400_000 }, (_, i) => `${'x'.repeat(500)}${i}`);
    const data = await tableOf('csv', ['text', ...rows]);
    await expect(rowsOf(data, 'SELECT string_agg(text) FROM data')).rejects.toMatchObject({
      code: 'MEMORY_SHORT',
      message: expect.stringMatching(/^DuckDB cannot hold the rows: .*Out of Memory Error.*$/),
    });
  });

  it(
    'sorts wide rows by one thread where several hold too many',
    { timeout: TIMEOUT },
    async () => {
      const data = await tableOf('csv', ['x', '1']);
      const bounds = { processBytes: 1024 * MIB, memoryBytes: 250 * MIB, threads: 4 };
      const wide =
        'SELECT hash(i) AS id, repeat(hash(i)::VARCHAR, 60) AS t FROM range(250000) r(i)';
      const given = statement(
        data,
        `SELECT id, length(t) AS n FROM (${wide} ORDER BY id)`,
        'csv',
        bounds,
      );
      await writeFile(join(given.folder, 'left-by-several.csv'), '');
      const { value, isByOne } = await ask('statement', given);
      expect(isByOne).toBe(true);
      const rows = (await readFile(value.files[0]![0]!, 'utf8')).trim().split('\n').slice(1);
      const ids = rows.map((row) => BigInt(row.split(',')[0]!));
      expect(ids).toHaveLength(250_000);
      expect(ids.every((id, at) => at === 0 || ids[at - 1]! < id)).toBe(true);
      expect(await readdir(given.folder)).toEqual(['rows.csv']);
    },
  );

  it('ends when its process exceeds the memory of the job', async () => {
    const data = await tableOf('csv', ['id', '1']);
    // Node alone takes more.
    const bounds = { ...BOUNDS, processBytes: 16 * MIB };
    const endless =
      'SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE a.range = -b.range';
    await expect(rowsOf(data, endless, bounds)).rejects.toMatchObject({
      code: 'MEMORY_SHORT',
      message: expect.stringContaining('16 MiB of its job'),
    });
  });
});

describe('a partition', () => {
  const PARTITIONS = 64;

  /** The partition of the only row of a table whose key is that expression, once it is cast. */
  async function partitionOf(key: string, type?: string): Promise<number> {
    const data = await tableOf('csv', ['x', '1']);
    const cast = type === undefined ? 'key' : `CAST(key AS ${type})`;
    const by = { keys: [cast, 'KEY'].slice(0, type === undefined ? 2 : 1), partitions: PARTITIONS };
    const given = statement(data, `SELECT ${key} AS key FROM data`, 'parquet');
    const { value } = await ask('statement', { ...given, by });
    return value.files.findIndex((files) => files.length > 0);
  }

  it.each([
    ['7::INTEGER', "'7'", 'VARCHAR'],
    ['1e20::FLOAT', "'1e+20'", 'VARCHAR'],
    ['[1, 2]', "['1', '2']", 'VARCHAR[]'],
    ["{'a': 1}", "{'a': '1'}", 'STRUCT(a VARCHAR)'],
    ["DATE '2026-01-02'", "TIMESTAMP '2026-01-02'", 'TIMESTAMP'],
  ])('holds the keys %s and %s, which are equal as %s', async (one, other, type) => {
    const at = await partitionOf(one, type);
    expect(at).toBeGreaterThanOrEqual(0);
    expect(await partitionOf(other, type)).toBe(at);
  });

  it.each([
    ["INTERVAL '1 month'", "INTERVAL '30 days'"],
    ['0.0::DOUBLE', '-0.0::DOUBLE'],
    ["'nan'::FLOAT", "'-nan'::FLOAT"],
    ['NULL::INTEGER', 'NULL::INTEGER'],
  ])('holds the keys %s and %s, which are equal in their type', async (one, other) => {
    expect(await partitionOf(one)).toBe(await partitionOf(other));
  });

  it('differs between keys that differ', { timeout: TIMEOUT }, async () => {
    const found = new Set<number>();
    for (const key of ['1', '2', '3', "'a'", "'b'", "'c'"]) found.add(await partitionOf(key));
    expect(found.size).toBeGreaterThan(3);
  });
});

describe('a process of DuckDB', () => {
  it('is warm for the next statement of its owner, and for no other one', async () => {
    const data = await tableOf('csv', ['x', '1']);
    await rowsOf(data, 'FROM data');
    const startOf = async (own: Ask): Promise<number> => {
      const begun = performance.now();
      await own('parse', 'SELECT 1');
      return performance.now() - begun;
    };
    expect(await startOf(ask)).toBeLessThan(await startOf(engines.of('another')));
  });

  it('has no tree of a statement that is too deep for the planner', async () => {
    const sum = (terms: number): string => `SELECT ${'1 + '.repeat(terms)}1 AS n FROM data`;
    expect(await ask('parse', sum(100))).toMatchObject({ statement: { type: 'SELECT_NODE' } });
    expect(await ask('parse', sum(600))).toMatchObject({ statement: undefined });
  });

  it('ends with the call that is given up', { timeout: TIMEOUT }, async () => {
    const data = await tableOf('csv', ['x', '1']);
    const stopped = new AbortController();
    const endless =
      'SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range = -b.range - 1';
    const asked = ask('statement', statement(data, endless), { signal: stopped.signal });
    setTimeout(() => stopped.abort(new Error('enough')), 50);
    await expect(asked).rejects.toThrow('enough');
    expect(await rowsOf(data, 'FROM data')).toEqual(['1']);
  });

  it('is refused with its own text', async () => {
    const data = await tableOf('csv', ['id', '1']);
    for (const [sql, line] of [
      ['SELEC 1', 'LINE 1: SELEC 1'],
      ['SELECT nope FROM data', 'LINE 1: SELECT nope FROM data'],
    ] as const) {
      const refused = await rowsOf(data, sql).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'SQL_INVALID' });
      expect(String(refused)).toContain(`\n${line}\n`);
    }
  });

  it('reaches no file but its tables', { timeout: TIMEOUT }, async () => {
    const secret = join(folder, 'secret.csv');
    await writeFile(secret, 'a\n1\n');
    const data = await tableOf('csv', ['x', '1']);
    await rowsOf({ files: [secret], format: 'csv' }, 'FROM data');
    // In the process that has read it before.
    await expect(rowsOf(data, `FROM read_csv('${secret}')`)).rejects.toThrow('Permission');
  });
});
