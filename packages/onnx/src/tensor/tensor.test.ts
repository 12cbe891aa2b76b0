import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { type NumericType, tensor } from './tensor.ts';

it.each([
  ['float32', Int32Array.of(1, 2), 'must be in a Float32Array, not in a Int32Array'],
  ['float32', Float64Array.of(1), 'must be in a Float32Array, not in a Float64Array'],
  ['int64', Int32Array.of(1, 2, 3, 4), 'must be in a BigInt64Array, not in a Int32Array'],
  ['float32', [1, 2], 'must be in a Float32Array, not in a Array'],
  ['float32', undefined, 'must be in a Float32Array, not in a undefined'],
  ['float33', Float32Array.of(1, 2), 'There is no element type "float33"'],
])('refuses a tensor of %s of %o, whose bytes would be other numbers', (type, array, message) => {
  const make = () => tensor(type as NumericType, [2], array as Float32Array);
  expect(make).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
});

it('takes a Buffer as bytes, and an array of another realm', () => {
  expect(tensor('uint8', [2], Buffer.of(1, 2)).bytes).toEqual(Uint8Array.of(1, 2));
  const foreign = runInNewContext('Float32Array.of(1, 2)') as Float32Array;
  expect(tensor('float32', [2], foreign).bytes).toHaveLength(8);
});
