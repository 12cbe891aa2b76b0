import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  numberToBfloat16,
  numberToFloat16,
  stringTensor,
  tensor,
  type NumericArray,
  type NumericType,
  type Tensor,
} from '@skein/onnx';
import { outputDifference } from './output-difference.ts';

const of = (y: Tensor): Map<string, Tensor> => new Map([['y', y]]);
const floats = (...numbers: number[]): Tensor =>
  tensor('float32', [numbers.length], Float32Array.from(numbers));

describe('the difference of two answers', () => {
  it('is the largest absolute difference, as computed by a plain loop', () => {
    const pair = fc.tuple(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    );
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1 }), (pairs) => {
        let largest = 0;
        for (const [a, b] of pairs) largest = Math.max(largest, Math.abs(a - b));
        const left = floats(...pairs.map(([a]) => a));
        const right = floats(...pairs.map(([, b]) => b));
        expect(outputDifference(of(left), of(right))).toBe(largest);
        expect(outputDifference(of(right), of(left))).toBe(largest);
      }),
    );
  });

  it.each([
    ['two NaN', floats(NaN, 1), floats(NaN, 1), 0],
    ['NaN against a number', floats(NaN), floats(1), Number.MAX_VALUE],
    ['two infinities', floats(Infinity), floats(Infinity), 0],
    ['opposite infinities', floats(Infinity), floats(-Infinity), Number.MAX_VALUE],
    ['both zeros', floats(0), floats(-0), 0],
    [
      'another shape',
      floats(1, 2),
      tensor('float32', [2, 1], Float32Array.of(1, 2)),
      Number.MAX_VALUE,
    ],
    ['another type', floats(1), tensor('int32', [1], Int32Array.of(1)), Number.MAX_VALUE],
    ['equal strings', stringTensor([1], ['a']), stringTensor([1], ['a']), 0],
    ['other strings', stringTensor([1], ['a']), stringTensor([1], ['b']), Number.MAX_VALUE],
    [
      'int64',
      tensor('int64', [1], BigInt64Array.of(5n)),
      tensor('int64', [1], BigInt64Array.of(-2n)),
      7,
    ],
    [
      'uint8',
      tensor('uint8', [1], Uint8Array.of(255)),
      tensor('uint8', [1], Uint8Array.of(0)),
      255,
    ],
  ])('%s', (_name, a, b, difference) => {
    expect(outputDifference(of(a), of(b))).toBe(difference);
  });

  it.each([
    ['float16', numberToFloat16],
    ['bfloat16', numberToBfloat16],
  ] as const)('reads %s as numbers, not as bits', (type, encode) => {
    const half = (value: number): Tensor => tensor(type, [1], Uint16Array.of(encode(value)));
    expect(outputDifference(of(half(1.5)), of(half(-0.25)))).toBe(1.75);
    expect(outputDifference(of(half(NaN)), of(half(NaN)))).toBe(0);
  });

  it('finds a missing or an additional output', () => {
    const two = new Map<string, Tensor>([
      ['y', floats(1)],
      ['z', floats(1)],
    ]);
    expect(outputDifference(of(floats(1)), two)).toBe(Number.MAX_VALUE);
    expect(outputDifference(two, of(floats(1)))).toBe(Number.MAX_VALUE);
    expect(outputDifference(of(floats(1)), new Map([['z', floats(1)]]))).toBe(Number.MAX_VALUE);
  });

  it('is always a number that JSON can hold', () => {
    const types: [NumericType, NumericArray][] = [
      ['float64', Float64Array.of(-Number.MAX_VALUE)],
      ['uint64', BigUint64Array.of(2n ** 64n - 1n)],
    ];
    const others: NumericArray[] = [Float64Array.of(Number.MAX_VALUE), BigUint64Array.of(0n)];
    types.forEach(([type, array], i) => {
      const found = outputDifference(
        of(tensor(type, [1], array)),
        of(tensor(type, [1], others[i]!)),
      );
      expect(Number.isFinite(found)).toBe(true);
    });
  });
});
