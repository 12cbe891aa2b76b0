import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { cutParquet, cutRows } from './cut-parquet.ts';
import { LEAST_MEMORY_BYTES } from './engine/memory.ts';
import { readParquet, writeParquet, writeRows } from './testing/parquet.ts';

const group = fc.record({
  rows: fc.integer({ min: 1, max: 50 }),
  sizeBytes: fc.integer({ min: 1, max: 400 }),
});

describe('cutRows', () => {
  it('has every row once, in order, and cuts a group only when it is twice too large', () => {
    fc.assert(
      fc.property(
        fc.array(group, { maxLength: 20 }),
        fc.integer({ min: 1, max: 300 }),
        (groups, pieceBytes) => {
          const ranges = cutRows(groups, pieceBytes);
          let at = 0;
          for (const { from, to } of ranges) {
            expect(from).toBe(at);
            expect(to).toBeGreaterThan(from);
            at = to;
          }
          const cuts = new Set(ranges.map(({ to }) => to));
          let start = 0;
          for (const { rows, sizeBytes } of groups) {
            const inside = [...cuts].filter((cut) => cut > start && cut < start + rows);
            if (sizeBytes < 2 * pieceBytes) expect(inside).toEqual([]);
            else expect(cuts.has(start + rows)).toBe(true);
            start += rows;
          }
          expect(at).toBe(start);
        },
      ),
    );
  });

  it('gathers small groups until they are large enough, and parts large ones evenly', () => {
    const small = { rows: 10, sizeBytes: 40 };
    const large = { rows: 90, sizeBytes: 300 };
    expect(cutRows([small, small, small, small, large, small], 100)).toEqual([
      { from: 0, to: 30 },
      { from: 30, to: 40 },
      { from: 40, to: 70 },
      { from: 70, to: 100 },
      { from: 100, to: 130 },
      { from: 130, to: 140 },
    ]);
  });
});

describe('cutParquet', () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({
    i,
    text: `row ${(i * 7919) % 10_000}`,
  }));
  const folder = testFolder();
  let file: string;
  beforeAll(async () => {
    const from = join(folder, 'rows.jsonl');
    await writeFile(from, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    file = join(folder, 'rows.parquet');
    await writeParquet(file, { from, rowGroupRows: 2048 });
  });

  const options = () => ({
    resources: { cores: 1, memoryBytes: LEAST_MEMORY_BYTES },
    scratch: folder,
  });

  it('makes files of the size, one at a time', { timeout: 30_000 }, async () => {
    const { size } = await stat(file);
    const found: unknown[] = [];
    let before: string | undefined;
    let pieces = 0;
    for await (const piece of cutParquet(file, size / 4, options())) {
      if (before !== undefined) await expect(stat(before)).rejects.toThrow('ENOENT');
      found.push(...(await readParquet(piece.file)));
      expect(piece.index).toBe(pieces++);
      expect(piece.count).toBeGreaterThan(2);
      before = piece.file;
    }
    // 64-bit integers come as text.
    expect(found).toEqual(rows.map(({ i, text }) => ({ i: String(i), text })));
  });

  it('keeps a column that has the name of DuckDB’s row numbers', async () => {
    const own = join(folder, 'own.parquet');
    await writeRows(own, `SELECT i, -i AS File_Row_Number FROM read_parquet('${file}')`);
    const { size } = await stat(own);
    const found: unknown[] = [];
    for await (const piece of cutParquet(own, size / 3, options())) {
      found.push(...(await readParquet(piece.file)));
    }
    expect(found).toEqual(
      rows.map(({ i }) => ({ i: String(i), File_Row_Number: String(i === 0 ? 0 : -i) })),
    );
  });

  it('leaves a file that is small enough as it is', async () => {
    const pieces: unknown[] = [];
    for await (const piece of cutParquet(file, 2 ** 30, options())) pieces.push(piece);
    expect(pieces).toEqual([{ file, index: 0, count: 1 }]);
  });
});
