/** Cuts of CSV files against a reader that goes through the whole file once. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { copyPiece, cutRecords, evenRanges, scanRange, type CsvPiece } from './cut-csv.ts';

let file: string;
beforeAll(() => {
  file = join(testFolder(), 'table.csv');
});

/** Records with their ends of lines. */
function recordsOf(text: string, quote: string): string[] {
  const records: string[] = [];
  let [begin, isInside] = [0, false];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === quote) isInside = !isInside;
    if (text[at] !== '\n' || isInside) continue;
    records.push(text.slice(begin, at + 1));
    begin = at + 1;
  }
  return begin < text.length ? [...records, text.slice(begin)] : records;
}

async function cut(
  text: string,
  pieceBytes: number,
  { quote = '"', hasHeader = true } = {},
): Promise<CsvPiece[] | undefined> {
  await writeFile(file, text);
  const size = Buffer.byteLength(text);
  const scans = [];
  for (const range of evenRanges(size, pieceBytes)) {
    scans.push(await scanRange(file, range, { delim: ',', quote }));
  }
  return cutRecords(scans, size, hasHeader);
}

async function textsOf(pieces: readonly CsvPiece[]): Promise<string[]> {
  const texts: string[] = [];
  for (const piece of pieces) {
    const target = `${file}.piece`;
    await copyPiece(file, piece, target);
    texts.push(await readFile(target, 'utf8'));
  }
  return texts;
}

const value = fc.oneof(
  fc.constantFrom('', '1', 'x y', 'ä€'),
  fc
    .array(fc.constantFrom('a', '""', '\n', '\r\n', ',', 'é'), { maxLength: 5 })
    .map((parts) => `"${parts.join('')}"`),
);
const table = fc
  .record({
    records: fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 25 }),
    line: fc.constantFrom('\n', '\r\n'),
    bom: fc.constantFrom('', '\uFEFF'),
    end: fc.boolean(),
  })
  .map(({ records, line, bom, end }) => {
    const text = bom + records.map((each) => each.join(',')).join(line);
    return end ? text + line : text;
  });

describe('a CSV file', () => {
  it('is cut into pieces of whole records, each once, wherever its ranges begin', async () => {
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 60 }), async (text, pieceBytes) => {
        const pieces = await cut(text, pieceBytes);
        const [header = '', ...records] = recordsOf(text, '"');
        const texts = await textsOf(pieces!);
        const found = texts.flatMap((each) => {
          expect(each.startsWith(header)).toBe(true);
          return recordsOf(each.slice(header.length), '"');
        });
        expect(found).toEqual(records);
      }),
      { numRuns: 100 },
    );
  });

  it('without quotes is cut at any newline', async () => {
    const text = 'a,b\n1,5" wide\n2,"\n3,x\n';
    const pieces = await cut(text, 11, { quote: '' });
    expect(await textsOf(pieces!)).toEqual(['a,b\n1,5" wide\n', 'a,b\n2,"\n3,x\n']);
  });

  it('without a header has its first record in the first piece', async () => {
    const pieces = await cut('1,2\n3,4\n5,6\n', 6, { hasHeader: false });
    expect(await textsOf(pieces!)).toEqual(['1,2\n3,4\n', '5,6\n']);
  });

  it.each([
    ['a quote in a value', 'a,b\n1,5" wide\n2,x\n3,6" high\n'],
    ['text after the end of a value', 'a,b\n1,"x" y\n2,x\n'],
    ['a value that does not end', 'a,b\n1,x\n2,"x\n'],
    ['a space in front of a quote', 'a,b\n1, "x\ny"\n2,z\n'],
    ['quotes of a value without quotes around it', 'a,b\n1,x""y\n2,z\n'],
  ])('is not cut with %s', async (_, text) => {
    for (const pieceBytes of [1, 4, 7, 100]) expect(await cut(text, pieceBytes)).toBeUndefined();
  });

  it('is cut where a range reads more than one block', async () => {
    const text = `a,b\n${`1,"${'x\n'.repeat(700_000)}"\n`.repeat(3)}${'2,y\n'.repeat(600_000)}`;
    const pieces = await cut(text, 900_000);
    const records = recordsOf(text, '"').slice(1);
    const texts = (await textsOf(pieces!)).map((each) => each.slice(4));
    expect(texts.join('')).toBe(records.join(''));
    expect(texts.map((each) => recordsOf(each, '"').length).reduce((a, b) => a + b)).toBe(
      records.length,
    );
    expect(texts.length).toBeGreaterThan(4);
  });
});
