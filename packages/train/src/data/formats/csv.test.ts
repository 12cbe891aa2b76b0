import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { csvRecords } from './csv.ts';

const encoder = new TextEncoder();

async function fieldsOf(text: string | Uint8Array, chunk = Infinity, separator = ',') {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text;
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += chunk) chunks.push(bytes.subarray(at, at + chunk));
  const records: (readonly string[])[] = [];
  for await (const { fields } of csvRecords(chunks, { separator })) records.push(fields);
  return records;
}

it('reads back quoted fields, for any chunks of bytes and any line ends', async () => {
  const field = fc.string({
    unit: fc.constantFrom('a', 'é', '🪿', '"', ',', '\n', '\r', ' ', ';'),
  });
  const record = fc.array(field, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { maxLength: 5 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (records, end, last, chunk, packed) => {
        const quoted = (each: string) =>
          each === '' || /[",\n\r]/.test(each) ? `"${each.replaceAll('"', '""')}"` : each;
        const lines = records.map((fields) => fields.map(quoted).join(','));
        const text = lines.join(end) + (last ? end : '');
        const bytes = packed ? new Uint8Array(gzipSync(text)) : encoder.encode(text);
        expect(await fieldsOf(bytes, chunk)).toEqual(records);
      },
    ),
    { numRuns: 200, seed: 3 },
  );
});

it('takes other separators, empty fields, and skips empty lines and a byte order mark', async () => {
  expect(await fieldsOf('\uFEFFa;b\r\n\r\n;\n1;', Infinity, ';')).toEqual([
    ['a', 'b'],
    ['', ''],
    ['1', ''],
  ]);
});

it('reads gzip of several members, as bgzip and cat make it, and whole ones only', async () => {
  const members = ['a,b\n1,', '2\n', '', '3,4\n'].map((text) => gzipSync(text));
  const packed = new Uint8Array(Buffer.concat(members));
  const rows = [
    ['a', 'b'],
    ['1', '2'],
    ['3', '4'],
  ];
  for (const pieces of [1, 7, Infinity]) expect(await fieldsOf(packed, pieces)).toEqual(rows);
  // Tapes and disks pad with zeros.
  expect(await fieldsOf(Uint8Array.of(...packed, 0, 0, 0))).toEqual(rows);
  for (const damaged of [
    packed.subarray(0, -1),
    Uint8Array.of(...packed, 0x1f),
    Uint8Array.of(...packed, 65, 66),
  ]) {
    await expect(fieldsOf(damaged)).rejects.toThrow('gzip data are damaged or cut off');
  }
});

it('names the line on which a record begins', async () => {
  const lines: number[] = [];
  for await (const { line } of csvRecords(encoder.encode('a\n"b\nc"\n\nd'))) lines.push(line);
  expect(lines).toEqual([1, 2, 5]);
});

it('refuses quotes out of place, bytes that are not UTF-8 and damaged gzip, naming the line', async () => {
  await expect(fieldsOf('a\n"b')).rejects.toThrow('record of line 2 is never closed');
  await expect(fieldsOf('a\nb\n"c"d')).rejects.toThrow('Line 3 has text after a closing quote');
  await expect(fieldsOf('a\n"c"\r"d"\n')).rejects.toThrow('Line 2 has text after a closing quote');
  // In Latin-1 a letter with an accent is one byte.
  const latin = Uint8Array.of(...encoder.encode('a,é\nb,ö\nc\nd,'), 0xe9, 10);
  for (const pieces of [1, 2, 5, Infinity]) {
    await expect(fieldsOf(latin, pieces)).rejects.toThrow('Line 4 is not UTF-8.');
  }
  await expect(fieldsOf(Uint8Array.of(97, 10, 0xc3), 1)).rejects.toThrow('Line 2 is not UTF-8.');
  const packed = new Uint8Array(gzipSync('a,b\n'.repeat(99)));
  await expect(fieldsOf(packed.subarray(0, 20))).rejects.toThrow(
    'gzip data are damaged or cut off',
  );
});
