import { expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { readSafetensors, readTensors, writeTensors } from './safetensors.ts';

/** A file with that header. The digest in the cases is correct for a file without data. */
function fileOf(header: unknown, data = new Uint8Array()): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return new Uint8Array(Buffer.concat([length, json, data]));
}

const __metadata__ = { sha256: createHash('sha256').digest('hex') };

it('reads back the written tensors', async () => {
  const tensors = new Map([
    ['w', { type: 'float32', shape: [2], bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) } as const],
  ]);
  const read = await readTensors(await writeTensors({ tensors, metadata: { a: 'b' } }));
  expect(read).toEqual({ tensors, metadata: { a: 'b' } });
});

it('begins the tensors at a multiple of eight bytes, whatever their names', async () => {
  const tensor = { type: 'float64', shape: [1], bytes: new Uint8Array(8).fill(1) } as const;
  for (const name of ['weight', 'Gewicht.größe', '重み', 'é']) {
    const tensors = new Map([[name, tensor]]);
    const file = await writeTensors({ tensors, metadata: {} });
    const length = Buffer.from(file).readBigUInt64LE();
    expect(length % 8n, name).toBe(0n);
    expect((await readTensors(file)).tensors).toEqual(tensors);
  }
});

it.each([
  ['no object', [1]],
  ['null', null],
  ['metadata of numbers', { __metadata__: { ...__metadata__, plan: 1 } }],
  ['an entry that is not a tensor', { __metadata__, w: null }],
  ['a tensor without offsets', { __metadata__, w: { dtype: 'F32', shape: [0] } }],
  [
    'a shape that is not a list',
    { __metadata__, w: { dtype: 'F32', shape: 0, data_offsets: [0, 0] } },
  ],
  ['a negative size', { __metadata__, w: { dtype: 'F32', shape: [-1, -1], data_offsets: [0, 4] } }],
  [
    'offsets beyond the data',
    { __metadata__, w: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } },
  ],
  ['offsets out of order', { __metadata__, w: { dtype: 'U8', shape: [0], data_offsets: [5, 5] } }],
])('is damaged with %s in its header', async (_, header) => {
  await expect(readTensors(fileOf(header))).rejects.toMatchObject({ kind: 'checkpoint' });
});

it('reads a file of another program, with or without metadata', () => {
  const w = { dtype: 'BF16', shape: [2], data_offsets: [4, 8] };
  const b = { dtype: 'F32', shape: [], data_offsets: [0, 4] };
  for (const header of [
    { w, b },
    { __metadata__: { format: 'pt' }, w, b },
  ]) {
    const { tensors } = readSafetensors(fileOf(header, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
    expect(tensors).toEqual(
      new Map([
        ['w', { type: 'bfloat16', shape: [2], bytes: Uint8Array.of(5, 6, 7, 8) }],
        ['b', { type: 'float32', shape: [], bytes: Uint8Array.of(1, 2, 3, 4) }],
      ]),
    );
  }
});

const BYTES = (from: number, to: number) => ({
  dtype: 'U8',
  shape: [to - from],
  data_offsets: [from, to],
});

it.each<[string, object, number, RegExp]>([
  ['tensors that overlap', { a: BYTES(0, 4), b: BYTES(3, 8) }, 8, /share bytes at 3/],
  ['a gap', { a: BYTES(0, 3), b: BYTES(4, 8) }, 8, /Bytes belong to no tensor at 3/],
  ['bytes after the last tensor', { a: BYTES(0, 4) }, 9, /last 5 bytes belong to no tensor/],
  ['an unknown type', { a: { ...BYTES(0, 4), dtype: 'F4' } }, 4, /"a" has the type "F4"/],
  ['a wrong size', { a: { ...BYTES(0, 4), shape: [5] } }, 4, /takes 5 bytes; .* gives it 4/],
  ['a place outside', { a: BYTES(0, 4) }, 3, /"a" ends outside/],
  ['metadata of numbers', { __metadata__: { a: 1 } }, 0, /metadata/],
])('refuses %s of another program', (_, header, size, message) => {
  expect(() => readSafetensors(fileOf(header, new Uint8Array(size)))).toThrow(message);
});

it('refuses a file that is cut off', () => {
  expect(() => readSafetensors(new Uint8Array(7))).toThrow(/cut off, or not/);
  expect(() => readSafetensors(Buffer.from('PK\x03\x04 not at all'))).toThrow(/cut off, or not/);
});
