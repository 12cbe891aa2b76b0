import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { cutIntoShards } from './split.ts';

const folder = testFolder();
const file = join(folder, 'table');

const cell = fc.oneof(
  fc.stringMatching(/^[a-z,"\n]{0,6}$/).map((text) => `"${text.replaceAll('"', '""')}"`),
  fc.stringMatching(/^ ?[a-z]["a-z]{0,3}$/),
);
const row = fc.tuple(cell, cell).map((cells) => `${cells.join(',')}\n`);

describe('cutIntoShards', () => {
  it('loses nothing, keeps rows whole, and reaches the size that is asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 30 }),
        fc.integer({ min: 1, max: 60 }),
        async (rows, bytes) => {
          const header = '"a\n","b"\n';
          writeFileSync(file, header + rows.join(''));
          const cut = await cutIntoShards(file, bytes, { header: true, quotes: true });
          const content = readFileSync(file);
          const texts = cut.slices.map(({ start, end }) => content.subarray(start, end).toString());
          expect(content.subarray(0, cut.header.end).toString()).toBe(header);
          expect(texts.join('')).toBe(rows.join(''));
          const left = [...rows];
          for (const [index, text] of texts.entries()) {
            let taken = '';
            while (taken.length < text.length) taken += left.shift() ?? '';
            expect(taken).toBe(text);
            if (index + 1 < texts.length) expect(text.length).toBeGreaterThanOrEqual(bytes);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes a quote for one only where a value begins, as DuckDB does', async () => {
    const header = '\uFEFF"n\n",note\n';
    const rows = ['6" pipe,"a\nb"\n', '1, "c\nd"\n', '2,""\n', '3,"e\\"f"\n', '"""4""";"g\nh"\n'];
    writeFileSync(file, header + rows.join(''));
    const cut = await cutIntoShards(file, 1, { header: true, quotes: true });
    const content = readFileSync(file);
    const texts = cut.slices.map(({ start, end }) => content.subarray(start, end).toString());
    expect(content.subarray(0, cut.header.end).toString()).toBe(header);
    expect(texts).toEqual(rows);
  });

  it.each(['a,b\r1,2\r3,4\r', 'a,"b\n1,2\n3,4\n'])(
    'leaves a table whole whose header does not end with a line feed: %j',
    async (text) => {
      writeFileSync(file, text);
      expect(await cutIntoShards(file, 1, { header: true, quotes: true })).toEqual({
        header: { start: 0, end: 0 },
        slices: [{ start: 0, end: text.length }],
      });
    },
  );

  it('takes the last row also without its line end, and no shard of an empty table', async () => {
    writeFileSync(file, '{"a":1}\n{"a":"\\"\\n"}');
    const options = { header: false, quotes: false };
    expect((await cutIntoShards(file, 1, options)).slices).toEqual([
      { start: 0, end: 8 },
      { start: 8, end: 20 },
    ]);
    writeFileSync(file, 'a,b\n');
    const empty = await cutIntoShards(file, 1, { header: true, quotes: true });
    expect(empty).toEqual({ header: { start: 0, end: 4 }, slices: [] });
    writeFileSync(file, '\n\r\na\n1\n');
    const late = await cutIntoShards(file, 1, { header: true, quotes: true });
    expect(late).toEqual({ header: { start: 3, end: 5 }, slices: [{ start: 5, end: 7 }] });
  });
});
