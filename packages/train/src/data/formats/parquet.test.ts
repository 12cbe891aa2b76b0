import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readParquet } from './parquet.ts';

/**
 * Seven rows: in groups of three from the Parquet implementation of Apache Arrow for Rust, in one group
 * from DuckDB, without compression and in pages of the second version. `times.parquet` is DuckDB's
 * `SELECT 9007199254740992 + i AS id, if(i = 1, 'infinity', '2000-01-01')::TIMESTAMP AS at FROM range(3) t(i)`.
 * `prefixes-….parquet` is Arrow's, for Rust: texts in `DELTA_BYTE_ARRAY`, with each third missing.
 * `unsigned-….parquet` is, with `parquet_version V2`, its `SELECT (4294900000 + 7 * i)::UINTEGER AS id,
 * (if(i % 2 = 0, 4000000000, 5) + i)::UINTEGER AS hash, (i - 4000000000)::BIGINT AS wide FROM range(500) t(i)`.
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

  it.each(['uncompressed', 'snappy'])(
    'reads unsigned numbers above 2^31 as DuckDB packs their differences: %s',
    async (kind) => {
      const { columns } = await readParquet(await fixture(`unsigned-${kind}.parquet`));
      const rows = Array.from({ length: 500 }, (_, row) => row);
      expect(columns).toEqual([
        {
          name: 'id',
          kind: 'number',
          values: Float64Array.from(rows, (row) => 4_294_900_000 + 7 * row),
        },
        {
          name: 'hash',
          kind: 'number',
          values: Float64Array.from(rows, (row) => (row % 2 === 0 ? 4_000_000_000 : 5) + row),
        },
        {
          name: 'wide',
          kind: 'number',
          values: Float64Array.from(rows, (row) => row - 4_000_000_000),
        },
      ]);
    },
  );

  it.each(['v1', 'v2'])('reads texts by their prefixes among missing ones: %s', async (kind) => {
    const { columns } = await readParquet(await fixture(`prefixes-${kind}.parquet`), {
      missing: 'keep',
    });
    const present = Array.from({ length: 60 }, (_, row) => row).filter((row) => row % 3 !== 0);
    expect(columns).toEqual([
      {
        name: 'name',
        kind: 'category',
        codes: Int32Array.from({ length: 60 }, (_, row) => present.indexOf(row)),
        categories: present.map((row) => `person/${row}`),
      },
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

  it('keeps the digits of large numbers that are categories, which a number would round', async () => {
    const times = await fixture('times.parquet');
    const options = { wanted: ['id'], kinds: { id: 'category' } } as const;
    const { columns } = await readParquet(times, options);
    const ids = ['9007199254740992', '9007199254740993', '9007199254740994'];
    const id = { name: 'id', kind: 'category', codes: Int32Array.of(0, 1, 2), categories: ids };
    expect(columns[0]).toEqual(id);
    const numbers = await readParquet(times, { wanted: ['id'] });
    const values = Float64Array.of(2 ** 53, 2 ** 53, 2 ** 53 + 2);
    expect(numbers.columns[0]).toEqual({ name: 'id', kind: 'number', values });
  });

  it('names the row and column of a time that is out of range', async () => {
    await expect(readParquet(await fixture('times.parquet'))).rejects.toThrow(
      expect.objectContaining({
        kind: 'data',
        message: expect.stringContaining("Line 2: 'at' is a time outside"),
      }),
    );
  });

  it('reports that a file is damaged, cut off or something else', async () => {
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
