import { readFileSync } from 'node:fs';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { float16ToNumber, values } from '@skein/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32, crc32ByTable } from './crc32.ts';
import { parseNpy } from './npy.ts';
import { parseNpz } from './npz.ts';

interface Described {
  readonly shape: number[];
  readonly elements: number[];
}
interface Fixture {
  readonly cases: readonly (Described & { readonly type: string; readonly npy: string })[];
  readonly archives: readonly {
    readonly npz: string;
    readonly a: Described;
    readonly labels: Described;
  }[];
  readonly refused: string;
}

const fixture = JSON.parse(
  readFileSync(new URL('fixtures/numpy.json', import.meta.url), 'utf8'),
) as Fixture;
const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

describe('what NumPy saved', () => {
  it.each(fixture.cases)('an array of $type $shape', ({ type, shape, elements, npy }) => {
    const array = parseNpy(bytesOf(npy));
    expect(array.type).toBe(type);
    expect(array.shape).toEqual(shape);
    const numbers = Array.from(values(array) as ArrayLike<number | bigint>, Number);
    expect(type === 'float16' ? numbers.map(float16ToNumber) : numbers).toEqual(elements);
  });

  it.each(fixture.archives)('an archive', async ({ npz, a, labels }) => {
    const arrays = await parseNpz(bytesOf(npz));
    expect([...arrays.keys()]).toEqual(['a', 'labels']);
    expect(Array.from(values(arrays.get('a')!) as Float32Array)).toEqual(a.elements);
    expect(arrays.get('labels')!.shape).toEqual(labels.shape);
  });
});

it('refuses records, files of another format and truncated files', () => {
  expect(() => parseNpy(bytesOf(fixture.refused))).toThrow("elements of type [('x', '<i4')");
  expect(() => parseNpy(new Uint8Array(20))).toThrow('is not a NumPy array');
  const whole = bytesOf(fixture.cases.at(-1)!.npy);
  for (let length = 0; length < whole.byteLength; length++) {
    expect(() => parseNpy(whole.subarray(0, length))).toThrow(
      length < 10 ? 'not a NumPy array' : length < 128 ? 'cut off' : 'take 192 bytes',
    );
  }
});

it('reads no damaged archive, wherever it is cut off', async () => {
  const whole = bytesOf(fixture.archives[1]!.npz);
  for (let length = 0; length < whole.byteLength; length++) {
    await expect(parseNpz(whole.subarray(0, length))).rejects.toThrow(/ZIP archive/);
  }
  const flipped = bytesOf(fixture.archives[1]!.npz);
  flipped.fill(0xff, 60, 90);
  await expect(parseNpz(flipped)).rejects.toThrow('ZIP data are damaged');
});

it('reads no array with a changed element: of one that is stored, only its sum shows it', async () => {
  const changed = bytesOf(fixture.archives[0]!.npz);
  changed[1000]! ^= 1;
  await expect(parseNpz(changed)).rejects.toThrow('is damaged: its bytes have another CRC-32');
});

it('sums bytes as zlib does, in any pieces', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
      const whole = zlibCrc32(Buffer.concat([first, second]));
      for (const sum of [crc32ByTable, crc32]) expect(sum(second, sum(first))).toBe(whole);
    }),
  );
});
