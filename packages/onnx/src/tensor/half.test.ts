import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from './half.ts';

const words = new Uint16Array(1);
const halves = new Float16Array(words.buffer);
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** The engine's number for the bits, and bits for a number. */
function engineDecode(bits: number): number {
  words[0] = bits;
  return halves[0]!;
}
function engineEncode(value: number): number {
  halves[0] = value;
  return words[0]!;
}

/** Whether the bits are a NaN; any payload will do. */
const isNaN16 = (bits: number, infinity: number) => (bits & 0x7fff) > infinity;

describe('float16', () => {
  it('decodes every bit pattern as the engine does', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      const expected = engineDecode(bits);
      if (!Object.is(float16ToNumber(bits), expected)) {
        expect.fail(`${bits}: ${float16ToNumber(bits)} instead of ${expected}`);
      }
    }
  });

  it('encodes every value back to its bits', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      const back = numberToFloat16(float16ToNumber(bits));
      if (back !== bits && !(isNaN16(bits, 0x7c00) && isNaN16(back, 0x7c00))) {
        expect.fail(`${bits} was encoded as ${back}`);
      }
    }
  });

  it('rounds every midpoint and its neighbours as the engine does', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (engineDecode(bits) + engineDecode(bits + 1)) / 2;
      for (const value of [middle, middle * (1 + 2 ** -50), middle * (1 - 2 ** -50), -middle]) {
        if (numberToFloat16(value) !== engineEncode(value)) {
          expect.fail(`${value}: ${numberToFloat16(value)} instead of ${engineEncode(value)}`);
        }
      }
    }
  });

  it('rounds any double as the engine does', () => {
    const fraction = fc.double({ min: 1, max: 2, noNaN: true });
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        fraction,
        fc.integer({ min: -30, max: 20 }),
        (any, significand, exponent) => {
          for (const value of [any, significand * 2 ** exponent, -significand * 2 ** exponent]) {
            expect(numberToFloat16(value)).toBe(engineEncode(value));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('bfloat16', () => {
  /** A bfloat16 is the upper half of a float32. */
  const upperHalf = (bits: number) => {
    singleBits[0] = bits * 65536;
    return single[0]!;
  };

  it('decodes every bit pattern as the float32 that it begins', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      if (!Object.is(bfloat16ToNumber(bits), upperHalf(bits))) {
        expect.fail(`${bits}: ${bfloat16ToNumber(bits)} instead of ${upperHalf(bits)}`);
      }
    }
  });

  it('encodes every value back to its bits', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      const back = numberToBfloat16(bfloat16ToNumber(bits));
      if (back !== bits && !(isNaN16(bits, 0x7f80) && isNaN16(back, 0x7f80))) {
        expect.fail(`${bits} was encoded as ${back}`);
      }
    }
  });

  it('rounds to the nearest, and a tie to the even one', () => {
    for (let bits = 0; bits < 0x7f7f; bits++) {
      const [below, above] = [upperHalf(bits), upperHalf(bits + 1)];
      const middle = (below + above) / 2;
      const step = above - below;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const found = [middle, middle - step / 4, middle + step / 4].map(numberToBfloat16);
      if (found.join() !== [even, bits, bits + 1].join()) {
        expect.fail(`around ${middle}: ${found.join()} instead of ${even},${bits},${bits + 1}`);
      }
    }
  });

  it('becomes infinity only from half a step above the largest value', () => {
    const largest = upperHalf(0x7f7f);
    const limit = largest + (largest - upperHalf(0x7f7e)) / 2;
    expect(numberToBfloat16(limit)).toBe(0x7f80);
    expect(numberToBfloat16(limit * (1 - 2 ** -52))).toBe(0x7f7f);
    expect(numberToBfloat16(-Number.MAX_VALUE)).toBe(0xff80);
  });
});
