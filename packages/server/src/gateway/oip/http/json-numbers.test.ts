import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SkeinError } from '@skein/api';
import { numbersOf, values, type NumericTensor, type NumericType } from '@skein/onnx';
import { readNumbers } from './json-numbers.ts';
import { narrow } from '../tensors/number-types.ts';

function read(text: string, type: NumericType, shape: readonly number[]): NumericTensor {
  const bytes = Buffer.from(text);
  return readNumbers(bytes, 0, bytes.length, type, shape, 'x');
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SkeinError) return error.code;
    throw error;
  }
  return 'accepted';
}

/** A JSON number in any spelling that the grammar has: long mantissas, exponents, many zeros. */
const digits = (min: number, max: number) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max })
    .map((list) => list.join(''));
const decimal = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(
      fc.constant('0'),
      fc
        .tuple(fc.integer({ min: 1, max: 9 }), digits(0, 24))
        .map(([lead, rest]) => `${lead}${rest}`),
    ),
    fraction: fc.option(digits(1, 26), { nil: undefined }),
    exponent: fc.option(
      fc.tuple(
        fc.constantFrom('e', 'E'),
        fc.constantFrom('', '+', '-'),
        fc.integer({ min: 0, max: 330 }),
      ),
      { nil: undefined },
    ),
  })
  .map(
    ({ sign, whole, fraction, exponent }) =>
      `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent?.join('') ?? ''}`,
  );
/** Numbers as clients send them: shortest decimals of floats and doubles, and rounded ones. */
const usual = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toPrecision(9)),
  fc.integer({ min: -999_999, max: 999_999 }).map((value) => (value / 1e4).toFixed(4)),
  // Halfway between two float32, and a digit to either side, where rounding twice gives a wrong
  // result.
  fc
    .tuple(
      fc.integer({ min: 0x3f80_0000, max: 0x4b80_0000 }),
      fc.constantFrom('', '0000001', '0000000000001'),
    )
    .map(([bits, tail]) => {
      const [low, high] = new Float32Array(new Uint32Array([bits, bits + 1]).buffer);
      const middle = (low! + high!) / 2;
      const text = middle.toFixed(40).replace(/0+$/, '');
      return text.endsWith('.') ? `${text}0${tail}` : `${text}${tail}`;
    }),
);
const number = fc.oneof(decimal, usual);
const list = fc.array(number, { minLength: 1, maxLength: 40 });
const space = fc.constantFrom('', ' ', '\n', '\t \r');

describe('floats', () => {
  test('equal the result of JSON.parse and rounding', () => {
    fc.assert(
      fc.property(list, space, (numbers, gap) => {
        const text = `[${gap}${numbers.join(`${gap},${gap}`)}${gap}]`;
        const parsed = JSON.parse(text) as number[];
        const shape = [numbers.length];
        for (const [type, round, limit] of [
          ['float64', (value: number) => value, Number.MAX_VALUE],
          ['float32', Math.fround, 3.4028234663852886e38],
          ['float16', (value: number) => Math.f16round(value), 65504],
        ] as const) {
          const expected = parsed.map(round);
          if (expected.some((value) => Math.abs(value) > limit)) {
            expect(codeOf(() => read(text, type, shape))).toBe('INPUT_DATA');
            continue;
          }
          const tensor = read(text, type, shape);
          const found =
            type === 'float16'
              ? new Float16Array(tensor.bytes.slice().buffer)
              : (values(tensor) as Float32Array | Float64Array);
          // Object.is distinguishes −0 from 0.
          expect(Array.from(found).every((value, index) => Object.is(value, expected[index]))).toBe(
            true,
          );
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('of 16 bits round to nearest, and to even between two, from the exact value', () => {
    const rounded = (...from: number[]) =>
      Array.from(new Uint16Array(narrow('bfloat16', Float64Array.from(from))));
    const at = (bits: number) => new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7f7e }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        // Halfway, with a difference below the precision of a float32.
        fc.constantFrom(undefined, 0, 2 ** -40, -(2 ** -40)),
        fc.constantFrom(0, 0x8000),
        (bits, share, offset, sign) => {
          const [low, high] = [at(bits), at(bits + 1)];
          const place = offset === undefined ? share : 0.5 + offset;
          const value = low + (high - low) * place;
          const up = place > 0.5 || (place === 0.5 && bits % 2 === 1);
          const [found] = rounded(sign === 0 ? value : -value);
          expect(found).toBe(sign | (up ? bits + 1 : bits));
        },
      ),
      { numRuns: 3000 },
    );
    expect(rounded(NaN, Infinity, -Infinity)).toEqual([0x7fc0, 0x7f80, 0xff80]);
  });

  test('accept NaN and the infinities as strings, and bare as Triton does; null is NaN', () => {
    const expected = [NaN, Infinity, -Infinity, -0, -0, 1, Infinity, -Infinity, NaN];
    const bare = '[NaN,Infinity , -Infinity,-0,-0.0,1,Inf,-Inf,-NaN]';
    for (const text of [bare, bare.replace(/-?[NI]\w+/g, '"$&"')]) {
      for (const type of ['float32', 'float64'] as const) {
        const found = values(read(text, type, [9])) as Float32Array | Float64Array;
        expect(Array.from(found)).toEqual(expected);
      }
    }
    for (const type of ['float16', 'float32', 'float64', 'bfloat16'] as const) {
      expect(read('[null, NaN]', type, [2])).toEqual(read('[NaN, NaN]', type, [2]));
    }
    for (const text of [
      '[NaNa]',
      '[nulla]',
      '[null',
      '[Infinit]',
      '[-]',
      '[--NaN]',
      '[NaN.5]',
      '[nan]',
    ]) {
      expect(codeOf(() => read(text, 'float32', [1]))).toBe('BODY_NOT_JSON');
    }
    expect(codeOf(() => read('["nan"]', 'float32', [1]))).toBe('INPUT_DATA');
  });

  test.each([
    ['null', 'int64', 'null at byte 3 of the body, where int64 takes a number'],
    ['null', 'bool', 'null at byte 3 of the body, where bool takes true or false'],
    ['{"a":1}', 'uint8', 'an object at byte 3 of the body, where uint8 takes a number'],
    ['NaN', 'int32', 'NaN at byte 3 of the body, where int32 takes a number'],
    ['-Infinity', 'uint64', 'an infinity at byte 3 of the body, where uint64 takes a number'],
    ['"NaN"', 'int32', 'a string at byte 3 of the body, where int32 takes a number'],
  ] as const)('%s is named as the wrong value for %s', (text, type, message) => {
    expect(() => read(`[1,${text}]`, type, [2])).toThrow(message);
    expect(codeOf(() => read(`[1,${text}]`, type, [2]))).toBe('INPUT_DATA');
  });

  test.each([
    ['float32', '3.4028235677973366e38', 'INPUT_DATA'],
    ['float32', '3.4028235677973362e38', 'accepted'],
    ['float64', '1e309', 'INPUT_DATA'],
    ['float16', '65519.99', 'accepted'],
    ['float16', '65520', 'INPUT_DATA'],
    ['bfloat16', '3.3961775292304597e38', 'accepted'],
    ['bfloat16', '3.39617752923046e38', 'INPUT_DATA'],
  ] as const)('%s %s: %s', (type, text, outcome) => {
    expect(codeOf(() => read(`[${text}]`, type, [1]))).toBe(outcome);
  });
});

describe('integers', () => {
  const bounds = {
    bool: [0n, 1n],
    uint8: [0n, 255n],
    uint16: [0n, 65535n],
    uint32: [0n, 2n ** 32n - 1n],
    uint64: [0n, 2n ** 64n - 1n],
    int8: [-128n, 127n],
    int16: [-32768n, 32767n],
    int32: [-(2n ** 31n), 2n ** 31n - 1n],
    int64: [-(2n ** 63n), 2n ** 63n - 1n],
  } as const;

  test.each(Object.entries(bounds) as [keyof typeof bounds, readonly [bigint, bigint]][])(
    '%s are exact in range and refused outside',
    (type, [min, max]) => {
      const near = fc.oneof(
        fc.bigInt({ min, max }),
        fc.bigInt({ min: min - 3n, max: min + 3n }),
        fc.bigInt({ min: max - 3n, max: max + 3n }),
        fc.bigInt({ min: -(2n ** 53n) - 5n, max: 2n ** 53n + 5n }),
      );
      fc.assert(
        fc.property(near, fc.constantFrom('', '.0', 'e0', '.00E+0'), (value, tail) => {
          const text = `[${value}${tail}]`;
          if (value < min || value > max) {
            expect(codeOf(() => read(text, type, [1]))).toBe('INPUT_DATA');
          } else {
            expect(BigInt(values(read(text, type, [1]))[0]!)).toBe(value);
          }
        }),
        { numRuns: 400 },
      );
    },
  );

  test('may be written with an exponent while they are whole', () => {
    const tensor = read('[1e3, 12.5e1, 9.223372036854775807e18, -1e0, 10E-1]', 'int64', [5]);
    expect(Array.from(values(tensor) as BigInt64Array)).toEqual([
      1000n,
      125n,
      2n ** 63n - 1n,
      -1n,
      1n,
    ]);
    expect(codeOf(() => read('[1.5]', 'int64', [1]))).toBe('INPUT_DATA');
    expect(codeOf(() => read('[1e400]', 'uint64', [1]))).toBe('INPUT_DATA');
    // The length of a body: the search for the end of the zeros must not start at each of them.
    const zeros = `[100000000000000000.${'0'.repeat(900_000)}1]`;
    expect(codeOf(() => read(zeros, 'int64', [1]))).toBe('INPUT_DATA');
    expect(codeOf(() => read('[0.5]', 'int8', [1]))).toBe('INPUT_DATA');
  });

  test('bool accepts true and false, and the bytes are 0 and 1', () => {
    expect(read('[true,false, 1 ,0]', 'bool', [2, 2]).bytes).toEqual(Uint8Array.of(1, 0, 1, 0));
    expect(codeOf(() => read('[true]', 'uint8', [1]))).toBe('INPUT_DATA');
    expect(codeOf(() => read('[tru]', 'bool', [1]))).toBe('BODY_NOT_JSON');
    expect(codeOf(() => read('[2]', 'bool', [1]))).toBe('INPUT_DATA');
  });
});

describe('shape', () => {
  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 });

  function nest(flat: readonly number[], sizes: readonly number[]): unknown {
    const [size, ...inner] = sizes;
    if (size === undefined) return flat[0];
    const step = flat.length / size;
    return Array.from({ length: size }, (_, row) =>
      nest(flat.slice(row * step, (row + 1) * step), inner),
    );
  }

  test('data may be flat or nested as the shape', () => {
    fc.assert(
      fc.property(shape, (sizes) => {
        const count = sizes.reduce((product, size) => product * size, 1);
        const flat = Array.from({ length: count }, (_, index) => index);
        for (const data of [flat, nest(flat, sizes)]) {
          const tensor = read(JSON.stringify(data), 'int32', sizes);
          expect(Array.from(values(tensor) as Int32Array)).toEqual(flat);
        }
      }),
    );
  });

  test.each([
    ['[[1,2,3],[4]]', [2, 2]],
    ['[[1],[2],[3],[4]]', [2, 2]],
    ['[1,2,[3,4]]', [2, 2]],
    ['[[1,2],3,4]', [2, 2]],
    ['[[[1,2],[3,4]]]', [2, 2]],
    ['[[1,2],[3,4]]', [4]],
    ['[[1,2,3],[4,5,6]]', [2, 3, 1]],
    ['[1,2,3]', [2, 2]],
    ['[1,2,3,4,5]', [2, 2]],
    ['[]', [1]],
    ['[[],[]]', [2, 1]],
    ['[1]', [0]],
    ['[1]', [2 ** 50]],
  ])('%s does not fill %j', (text, sizes) => {
    expect(codeOf(() => read(text, 'int32', sizes))).toBe('INPUT_DATA');
  });

  test('a scalar is a list of one element', () => {
    expect(read('[7]', 'uint8', []).bytes).toEqual(Uint8Array.of(7));
  });
});

test.each([
  '[1,]',
  '[,1]',
  '[1 2]',
  '[01]',
  '[1.]',
  '[.5]',
  '[+1]',
  '[1e]',
  '[--1]',
  '[1,,2]',
  '[0x1]',
  '[1}]',
  '[-]',
  '[1e+]',
  '[nul]',
])('%s is not JSON', (text) => {
  expect(codeOf(() => read(text, 'float64', [1]))).not.toBe('accepted');
});

test('the reader and JSON.parse refuse the same texts', () => {
  const fragment = fc.constantFrom(
    '[',
    ']',
    ',',
    '-',
    '0',
    '7',
    '12',
    '.',
    'e',
    'E',
    '+',
    ' ',
    '1.5',
    '-3e2',
    '\n',
  );
  fc.assert(
    fc.property(
      fc.array(fragment, { maxLength: 12 }),
      fc.integer({ min: 0, max: 5 }),
      (parts, size) => {
        const text = `[${parts.join('')}]`;
        // The reader is only called with an array whose brackets match.
        let depth = 0;
        for (let index = 0; index < text.length; index++) {
          if (text[index] === '[') depth++;
          if (text[index] === ']' && --depth === 0 && index < text.length - 1) return;
        }
        if (depth !== 0) return;
        const code = codeOf(() => read(text, 'float64', [size]));
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (!valid) expect(['BODY_NOT_JSON', 'INPUT_DATA']).toContain(code);
        else expect(['accepted', 'INPUT_DATA']).toContain(code);
      },
    ),
    { numRuns: 5000 },
  );
});

test.each([2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1, 2 ** 19, 2 ** 19 + 7])(
  '%i numbers are converted in parts, and each is in its place',
  (count) => {
    const numbers = Array.from({ length: count }, (_, i) => (i % 1000) / 8);
    const text = Buffer.from(JSON.stringify(numbers));
    const read = (length: number, type: NumericType): NumericTensor =>
      readNumbers(text, 0, text.length, type, [length], 'x');
    for (const type of ['float32', 'float64', 'float16'] as const) {
      const all = numbersOf(read(count, type)) as Float64Array;
      expect(all.length).toBe(count);
      expect(all.every((value, i) => value === numbers[i])).toBe(true);
    }
    for (const wrong of [count - 1, count + 1]) {
      expect(() => read(wrong, 'float32')).toThrow(SkeinError);
    }
  },
);

test('a large tensor is read without a copy of it in doubles', () => {
  const doubles = vi.spyOn(globalThis, 'Float64Array');
  onTestFinished(() => doubles.mockRestore());
  const text = Buffer.from(`[${'1,'.repeat(2 ** 20)}1]`);
  readNumbers(text, 0, text.length, 'float32', [2 ** 20 + 1], 'x');
  const sizes = doubles.mock.calls.map((given: readonly unknown[]) => Number(given[0]));
  expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(2 ** 18);
});
