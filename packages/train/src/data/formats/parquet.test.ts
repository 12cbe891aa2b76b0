import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readParquet } from './parquet.ts';

/**
 * Seven rows: in groups of three from the Parquet implementation of Apache Arrow for Rust, in one group
 * from DuckDB, without compression and in pages of the second version.
 */
const fixture = async (name: string) => {
  const bytes = await readFile(new URL(`fixtures/${name}`, import.meta.url));
  return accessTo(new Uint8Array(bytes));
};

function accessTo(bytes: Uint8Array) {
  return {
    byteLength: bytes.byteLength,
    slice: (start: number, end?: number) => bytes.slice(start, end).buffer,
  };
}

describe('Parquet', () => {
  it.each(['snappy', 'zstd', 'gzip', 'uncompressed', 'v2'])(
    'reads files of other writers: %s',
    async (kind) => {
      const table = await readParquet(await fixture(`people-${kind}.parquet`), {
        missing: 'keep',
      });
      expect(table).toEqual({
        count: 7,
        columns: [
          { name: 'age', kind: 'number', values: Float64Array.of(31, 40, 52, NaN, 28, 61, 19) },
          { name: 'visits', kind: 'number', values: Float64Array.of(1, 2, 3, 4, 5, 6, 7) },
          {
            name: 'sex',
            kind: 'category',
            codes: Int32Array.of(0, 1, 0, 0, 1, -1, 1),
            categories: ['f', 'm'],
          },
          { name: 'ill', kind: 'number', values: Float64Array.of(1, 0, 1, 0, 0, 1, 0) },
        ],
      });
    },
  );

  it.each(['runs', 'runs-v2'])('reads runs, dictionaries and missing values: %s', async (kind) => {
    const table = await readParquet(await fixture(`people-${kind}.parquet`), { missing: 'keep' });
    const rows = Array.from({ length: 1000 }, (_, row) => row);
    expect(table.columns).toEqual([
      {
        name: 'x',
        kind: 'number',
        values: Float64Array.from(rows, (row) => (row % 11 === 0 ? NaN : row % 5)),
      },
      {
        name: 'visits',
        kind: 'number',
        values: Float64Array.from(rows, (row) => Math.floor(row / 300)),
      },
      {
        name: 'sex',
        kind: 'category',
        codes: Int32Array.from(rows, (row) => (row < 700 ? 0 : 1)),
        categories: ['f', 'm'],
      },
      { name: 'ill', kind: 'number', values: Float64Array.from(rows, (row) => 1 - (row % 2)) },
    ]);
  });

  it('refuses runs that are longer than their page, in milliseconds', async () => {
    const bytes = new Uint8Array(
      await readFile(new URL('fixtures/people-runs.parquet', import.meta.url)),
    );
    // The definition levels of `visits`: a run of 1000 ones, as the header 0xd0 0x0f.
    const at = Buffer.from(bytes).indexOf(Buffer.from('03000000d00f0103d804', 'hex')) + 4;
    expect(at).toBeGreaterThan(4);
    // Now of 8191, in a page of 1000 values.
    bytes.set([0xfe, 0x7f], at);
    const damaged = readParquet(accessTo(bytes), { missing: 'keep' });
    await expect(damaged).rejects.toThrow('cannot be read as Parquet: a page is damaged');
  });

  it('names the row and column of a missing value', async () => {
    await expect(readParquet(await fixture('people-snappy.parquet'))).rejects.toThrow(
      "Line 4: 'age' is missing.",
    );
  });

  it('says that a file is damaged, cut off or something else', async () => {
    const bytes = new Uint8Array(
      await readFile(new URL('fixtures/people-zstd.parquet', import.meta.url)),
    );
    for (const part of [
      bytes.subarray(0, 100),
      new Uint8Array(0),
      new TextEncoder().encode('a,b\n1,2\n'),
    ]) {
      await expect(readParquet(accessTo(part))).rejects.toThrow(/cannot be read as Parquet/);
    }
  });
});
