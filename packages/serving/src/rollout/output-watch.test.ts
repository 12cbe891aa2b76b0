import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tensor, type Tensor } from '@skein/onnx';
import { OutputWatch } from './output-watch.ts';

const y = (output: Tensor) => new Map([['y', output]]);
const floats = (...numbers: number[]) =>
  y(tensor('float32', [numbers.length], Float32Array.from(numbers)));

describe('an output watch', () => {
  it('finds NaN and infinity wherever they are, and nothing else', () => {
    const number = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(Number.NaN, Infinity, -Infinity),
    );
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 50 }), (numbers) => {
        const watch = new OutputWatch('2');
        watch.note('1', floats(...numbers), 1);
        watch.note('2', floats(...numbers), 1);
        const odd = numbers.every(Number.isFinite) ? 0 : 1;
        expect([watch.stableOdd, watch.candidateOdd]).toEqual([odd, odd]);
      }),
    );
  });

  it.each([
    ['float16', Uint16Array.of(0x7c00), 1],
    ['float16', Uint16Array.of(0x7bff), 0],
    ['bfloat16', Uint16Array.of(0x7fc0), 1],
    ['bfloat16', Uint16Array.of(0x7f7f), 0],
    ['float64', Float64Array.of(Number.NaN), 1],
    ['int32', Int32Array.of(-1), 0],
  ] as const)('reads %s %o', (type, data, odd) => {
    const watch = new OutputWatch('2');
    watch.note('2', y({ type, shape: [1], bytes: new Uint8Array(data.buffer) }), 1);
    expect(watch.candidateOdd).toBe(odd);
  });

  it('learns the kind of an output from the old version', () => {
    const watch = new OutputWatch('2');
    watch.note('2', floats(1), 1);
    watch.note('1', floats(1, 2), 1);
    watch.note('2', floats(1, 2, 3), 1);
    expect(watch.candidateOdd).toBe(0);
    watch.note('2', y(tensor('float32', [1, 1], Float32Array.of(1))), 1);
    watch.note('2', y(tensor('float64', [1], Float64Array.of(1))), 1);
    expect(watch.candidateOdd).toBe(2);
  });
});
