import { gzipSync } from 'node:zlib';
import { values } from '@skein/onnx';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readIdx } from './idx.ts';

/** An IDX file, written element by element. */
function idx(code: number, shape: readonly number[], elements: readonly number[]): Uint8Array {
  const size = { 0x08: 1, 0x09: 1, 0x0b: 2, 0x0c: 4, 0x0d: 4, 0x0e: 8 }[code]!;
  const view = new DataView(new ArrayBuffer(4 + 4 * shape.length + size * elements.length));
  view.setUint8(2, code);
  view.setUint8(3, shape.length);
  shape.forEach((each, axis) => view.setUint32(4 + 4 * axis, each));
  elements.forEach((each, i) => {
    const at = 4 + 4 * shape.length + i * size;
    if (code === 0x08) view.setUint8(at, each);
    else if (code === 0x09) view.setInt8(at, each);
    else if (code === 0x0b) view.setInt16(at, each);
    else if (code === 0x0c) view.setInt32(at, each);
    else if (code === 0x0d) view.setFloat32(at, each);
    else view.setFloat64(at, each);
  });
  return new Uint8Array(view.buffer);
}

it('reads every type, packed or not', async () => {
  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 });
  const code = fc.constantFrom(0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e);
  await fc.assert(
    fc.asyncProperty(code, shape, fc.boolean(), async (code, shape, packed) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const elements = Array.from({ length: count }, (_, i) => (i * 7) % 128);
      const bytes = idx(code, shape, elements);
      const read = await readIdx(packed ? new Uint8Array(gzipSync(bytes)) : bytes);
      expect(read.shape).toEqual(shape);
      expect(Array.from<number | bigint, number>(values(read), Number)).toEqual(elements);
    }),
    { seed: 5 },
  );
});

it('refuses files of another format and files that are truncated or too long', async () => {
  const whole = idx(0x0b, [2, 3], [1, 2, 3, 4, 5, 6]);
  for (let length = 0; length < whole.byteLength; length++) {
    await expect(readIdx(whole.subarray(0, length))).rejects.toThrow(
      length < 12 ? 'not in the IDX format' : 'shape [2, 3] and type int16, which take 12 bytes',
    );
  }
  await expect(readIdx(Uint8Array.of(...whole, 0))).rejects.toThrow('but holds 13');
  await expect(readIdx(Uint8Array.of(80, 75, 3, 4, 0))).rejects.toThrow('not in the IDX format');
});
