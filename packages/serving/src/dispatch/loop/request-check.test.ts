import { SkeinError } from '@skein/api';
import { stringTensor, tensor, type Dimension, type Signature, type Tensor } from '@skein/onnx';
import { describe, expect, test } from 'vitest';
import { isBatchable, requestCheck } from './request-check.ts';

const SIGNATURE: Signature = {
  inputs: [
    { name: 'image', type: 'float32', shape: ['batch', 3, null] },
    { name: 'label', type: 'string', shape: ['batch'] },
  ],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 10] }],
};

function image(shape: readonly number[], value = 0): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor('float32', shape, new Float32Array(count).fill(value));
}

function labels(count: number): Tensor {
  return stringTensor(
    [count],
    Array.from({ length: count }, () => 'a'),
  );
}

function check(inputs: Record<string, Tensor>, outputs?: string[], finiteOnly = true) {
  return requestCheck(SIGNATURE, finiteOnly)(new Map(Object.entries(inputs)), outputs);
}

function refusal(run: () => unknown): [string, string] {
  try {
    run();
  } catch (error) {
    if (error instanceof SkeinError) return [error.code, error.message];
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a request', () => {
  test('returns its rows, and the key of requests that may share its run', () => {
    const one = check({ image: image([2, 3, 5]), label: labels(2) }, ['y']);
    expect(one).toMatchObject({ rows: 2, batches: true });
    const same = check({ image: image([7, 3, 5]), label: labels(7) });
    const other = check({ image: image([2, 3, 6]), label: labels(2) });
    expect(same.laneKey).toBe(one.laneKey);
    expect(other.laneKey).not.toBe(one.laneKey);
  });

  test('whose inputs disagree on the rows runs alone', () => {
    const demand = check({ image: image([2, 3, 5]), label: labels(3) });
    expect(demand).toMatchObject({ rows: 1, batches: false });
  });

  test.each<[string, string, () => unknown]>([
    ['INPUT_MISSING', '"label"', () => check({ image: image([1, 3, 5]) })],
    ['INPUT_UNKNOWN', '"lable"', () => check({ image: image([1, 3, 5]), lable: labels(1) })],
    [
      'INPUT_UNKNOWN',
      '"extra"',
      () => check({ image: image([1, 3, 5]), label: labels(1), extra: labels(1) }),
    ],
    ['INPUT_DATATYPE', 'string, but float32', () => check({ image: labels(1), label: labels(1) })],
    [
      'INPUT_SHAPE',
      '[1, 4, 5], but [-1, 3, -1]',
      () => check({ image: image([1, 4, 5]), label: labels(1) }),
    ],
    ['INPUT_SHAPE', '[3, 5]', () => check({ image: image([3, 5]), label: labels(1) })],
    [
      'INPUT_SHAPE',
      '[0.5, 3, 4]',
      () => check({ image: { ...image([2, 3, 1]), shape: [0.5, 3, 4] }, label: labels(1) }),
    ],
    [
      'INPUT_SHAPE',
      '[-1, 3, -2]',
      () => check({ image: { ...image([1, 3, 2]), shape: [-1, 3, -2] }, label: labels(1) }),
    ],
    ['INPUT_SHAPE', 'no rows', () => check({ image: image([0, 3, 5]), label: labels(0) })],
    [
      'INPUT_DATA',
      'takes 60 bytes, but 12',
      () =>
        check({
          image: { type: 'float32', shape: [1, 3, 5], bytes: new Uint8Array(12) },
          label: labels(1),
        }),
    ],
    [
      'INPUT_DATA',
      'takes 2 strings, but 1',
      () => check({ image: image([2, 3, 1]), label: { ...labels(1), shape: [2] } }),
    ],
    [
      'OUTPUT_UNKNOWN',
      '"z"',
      () => check({ image: image([1, 3, 5]), label: labels(1) }, ['y', 'z']),
    ],
    [
      'INPUT_NOT_FINITE',
      'element 0',
      () => check({ image: image([1, 3, 5], Infinity), label: labels(1) }),
    ],
  ])('is refused with %s, with the words %s', (code, words, run) => {
    const [got, message] = refusal(run);
    expect(got).toBe(code);
    expect(message).toContain(words);
  });

  test('may hold any number unless only finite ones are allowed', () => {
    expect(
      check({ image: image([1, 3, 5], Number.NaN), label: labels(1) }, undefined, false).rows,
    ).toBe(1);
  });

  test.each<[Tensor['type'], Tensor, boolean]>([
    ['float64', tensor('float64', [1], Float64Array.of(-Infinity)), false],
    ['float64', tensor('float64', [1], Float64Array.of(1e300)), true],
    ['float16', tensor('float16', [1], Uint16Array.of(0x7c00)), false],
    ['float16', tensor('float16', [1], Uint16Array.of(0x7bff)), true],
    ['bfloat16', tensor('bfloat16', [1], Uint16Array.of(0xff81)), false],
    ['bfloat16', tensor('bfloat16', [1], Uint16Array.of(0x7f7f)), true],
    ['int64', tensor('int64', [1], BigInt64Array.of(2n ** 62n)), true],
  ])('of %s is checked for finite values', (type, x, fits) => {
    const only = requestCheck({ inputs: [{ name: 'x', type, shape: [1] }], outputs: [] }, true);
    const run = () => only(new Map([['x', x]]), undefined);
    if (fits) expect(run().rows).toBe(1);
    else expect(refusal(run)[0]).toBe('INPUT_NOT_FINITE');
  });

  test('is checked at any alignment', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, Number.NaN, true);
    const x: Tensor = { type: 'float32', shape: [2], bytes: bytes.subarray(1) };
    const only = requestCheck(
      { inputs: [{ name: 'x', type: 'float32', shape: [2] }], outputs: [] },
      true,
    );
    expect(refusal(() => only(new Map([['x', x]]), undefined))[1]).toContain('element 0');
  });
});

test('rows are shared only when the first dimension of all inputs and outputs is open', () => {
  const signature = (input: Dimension[], output: Dimension[]): Signature => ({
    inputs: [{ name: 'x', type: 'float32', shape: input }],
    outputs: [{ name: 'y', type: 'float32', shape: output }],
  });
  expect(isBatchable(signature(['n', 3], [null]))).toBe(true);
  expect(isBatchable(signature([1, 3], [null]))).toBe(false);
  expect(isBatchable(signature(['n'], [2, 'n']))).toBe(false);
  expect(isBatchable(signature(['n'], []))).toBe(false);
  expect(isBatchable({ inputs: [], outputs: [] })).toBe(false);
});
