import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readParquet } from './parquet.ts';

/** Written with the Parquet implementation of Apache Arrow for Rust: seven rows in groups of three. */
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
  it.each(['snappy', 'zstd', 'gzip'])(
    'reads files of other writers, compressed with %s',
    async (packing) => {
      const table = await readParquet(await fixture(`people-${packing}.parquet`), {
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
