import { expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { readTensors, writeTensors } from './safetensors.ts';

/** A file with that header and no data, whose digest is correct. */
function fileOf(header: unknown): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
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
