import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { bfloat16ToNumber } from './half.ts';
import { numbersOf, tensorOfNumbers } from './numbers.ts';
import { arrayClass, NUMERIC_TYPES, type NumericType } from './tensor.ts';

/** Values that the type holds exactly, other than NaN. */
function exact(type: NumericType): fc.Arbitrary<number | bigint> {
  if (type === 'bool') return fc.integer({ min: 0, max: 1 });
  if (type === 'float64') return fc.double({ noNaN: true });
  if (type === 'float32') return fc.float({ noNaN: true });
  const bits = 8 * arrayClass(type).BYTES_PER_ELEMENT;
  if (type === 'float16') {
    const half = (word: number) => new Float16Array(Uint16Array.of(word).buffer)[0]!;
    return fc
      .integer({ min: 0, max: 0xffff })
      .map(half)
      .filter((value) => !Number.isNaN(value));
  }
  if (type === 'bfloat16') {
    return fc
      .integer({ min: 0, max: 0xffff })
      .map(bfloat16ToNumber)
      .filter((value) => !Number.isNaN(value));
  }
  const [min, max] = type.startsWith('u')
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  return fc.bigInt({ min, max }).map((value) => (bits === 64 ? value : Number(value)));
}

it.each(NUMERIC_TYPES)('reads back the numbers that a tensor of %s is made of', (type) => {
  fc.assert(
    fc.property(fc.array(exact(type), { maxLength: 20 }), fc.nat(3), (numbers, skew) => {
      const { bytes, ...made } = tensorOfNumbers(type, [numbers.length], numbers);
      const moved = new Uint8Array(skew + bytes.length).subarray(skew);
      moved.set(bytes);
      expect([...numbersOf({ ...made, bytes: moved })]).toEqual(numbers);
    }),
  );
});

it.each<[NumericType, number | bigint]>([
  ['int8', 300],
  ['uint8', -1],
  ['int32', 0.5],
  ['uint16', Number.NaN],
  ['int64', 2n ** 63n],
  ['uint64', -1n],
  ['bool', 2],
])('refuses what %s does not hold: %s', (type, number) => {
  expect(() => tensorOfNumbers(type, [2], [1, number])).toThrow(
    new RangeError(`${number} does not fit ${type}.`),
  );
});

it('takes NaN and the infinities of every float', () => {
  for (const type of ['float16', 'bfloat16', 'float32', 'float64'] as const) {
    const numbers = [Number.NaN, Infinity, -Infinity, -0];
    expect([...numbersOf(tensorOfNumbers(type, [4], numbers))]).toEqual(numbers);
  }
});
