import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { SkeinError } from '@skein/api/errors';
import { values, type ElementType, type Signature, type Tensor } from '@skein/onnx';
import { tensorElements } from '../../../load/src/sending/tensor-elements.ts';
import { encodeValues } from './encode.ts';
import { readInputs, type GivenInputs } from './given-input.ts';
import { resolveShape } from './shape.ts';

const folder = testFolder();
beforeAll(() => {
  writeFileSync(join(folder, 'x.json'), '[[1, 2], [3, 4]]');
  writeFileSync(join(folder, 'x.raw'), Buffer.from(Float32Array.of(5, 6, 7, 8).buffer));
  writeFileSync(join(folder, 'a.png'), Buffer.from([0x89, 0x50, 0xff]));
});

const signature: Signature = {
  inputs: [{ name: 'x', type: 'float32', shape: ['batch', 2] }],
  outputs: [],
};
const nothing: GivenInputs = { input: [], image: undefined, data: undefined };

async function shown(
  given: Partial<GivenInputs>,
  of: Signature = signature,
): Promise<Record<string, { shape: readonly number[]; values: unknown[] }>> {
  const tensors = await readInputs({ ...nothing, ...given }, of, folder);
  return Object.fromEntries(
    Object.entries<Tensor>(tensors).map(([name, each]) => [
      name,
      { shape: each.shape, values: tensorElements(each) },
    ]),
  );
}

describe('readInputs', () => {
  const rows = { x: { shape: [2, 2], values: [1, 2, 3, 4] } };

  it('reads all inputs of a file', async () => {
    writeFileSync(join(folder, 'all.json'), '{"x": [[1, 2], [3, 4]]}');
    expect(await shown({ data: '@all.json' })).toEqual(rows);
    await expect(shown({ data: '@x.raw' })).rejects.toThrow('--data is not JSON');
    await expect(shown({ data: '@none.json' })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  it.each([
    ['nested JSON', { input: ['x=[[1,2],[3,4]]'] }],
    ['a flat list that fills the declared shape', { input: ['x=[1,2,3,4]'] }],
    ['a JSON file', { input: ['x=x.json'] }],
    ['no name where there is one input', { input: ['[[1,2],[3,4]]'] }],
    ['--data by name', { data: '{"x": [[1,2],[3,4]]}' }],
    ['--data as an Open Inference body', { data: '{"inputs":[{"name":"x","data":[1,2,3,4]}]}' }],
  ])('takes %s', async (_, given) => {
    expect(await shown(given)).toEqual(rows);
  });

  it('takes null for a missing value of floats and texts', async () => {
    const of: Signature = {
      inputs: [
        { name: 'age', type: 'float32', shape: ['batch'] },
        { name: 'city', type: 'string', shape: ['batch'] },
      ],
      outputs: [],
    };
    const given = { data: '{"age": [null, 3], "city": ["Oslo", null]}' };
    expect(await shown(given, of)).toMatchObject({
      age: { values: [NaN, 3] },
      city: { values: ['Oslo', ''] },
    });
    const whole: Signature = { inputs: [{ name: 'n', type: 'int64', shape: [1] }], outputs: [] };
    await expect(shown({ data: '{"n": [null]}' }, whole)).rejects.toThrow('null is not a whole');
  });

  it.each<[string, Partial<GivenInputs>]>([
    ['two --input', { input: ['x=[1,2]', 'x=[3,4]'] }],
    ['one with a name and one without', { input: ['x=[1,2]', '[3,4]'] }],
    ['--data and --input', { data: '{"x": [1,2]}', input: ['x=[3,4]'] }],
    [
      'an Open Inference body',
      { data: '{"inputs":[{"name":"x","data":[1,2]},{"name":"x","data":[3,4]}]}' },
    ],
  ])('refuses an input that is given twice: %s', async (_, given) => {
    await expect(shown(given)).rejects.toMatchObject({
      code: 'USAGE',
      message: 'The input "x" is given twice.',
    });
  });

  it('takes the shape of an Open Inference body, which its flat values leave open', async () => {
    const grid: Signature = {
      inputs: [{ name: 'x', type: 'int8', shape: ['n', 'm'] }],
      outputs: [],
    };
    const data = '{"inputs":[{"name":"x","shape":[2,3],"datatype":"INT8","data":[1,2,3,4,5,6]}]}';
    expect(await shown({ data }, grid)).toEqual({
      x: { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
    });
  });

  it('keeps 64-bit integers that a double would round', async () => {
    const ids: Signature = { inputs: [{ name: 'x', type: 'int64', shape: ['n'] }], outputs: [] };
    writeFileSync(join(folder, 'ids.json'), '[9007199254740993]');
    const read = async (given: Partial<GivenInputs>) => {
      const { x } = await readInputs({ ...nothing, ...given }, ids, folder);
      return x?.type === 'int64' ? [...values(x)] : [];
    };
    expect(await read({ input: ['x=[9007199254740993]'] })).toEqual([9007199254740993n]);
    expect(await read({ input: ['x=ids.json'] })).toEqual([9007199254740993n]);
    expect(await read({ data: '{"x":[9007199254740993]}' })).toEqual([9007199254740993n]);
    expect(await read({ input: ['x=[9223372036854775807, 1e18]'] })).toEqual([
      2n ** 63n - 1n,
      10n ** 18n,
    ]);
    await expect(shown({ input: ['x=[9223372036854775808]'] }, ids)).rejects.toThrow(
      '9223372036854775808 is not a whole number of int64',
    );
    expect(await shown({ input: ['x=[9007199254740993, 1]'] })).toEqual({
      x: { shape: [1, 2], values: [2 ** 53, 1] },
    });
  });

  it('adds a batch dimension that is missing', async () => {
    expect(await shown({ input: ['x=[1,2]'] })).toEqual({ x: { shape: [1, 2], values: [1, 2] } });
  });

  it('takes the raw bytes of a file as values, or as one string', async () => {
    expect(await shown({ input: ['x=@x.raw'] })).toEqual({
      x: { shape: [2, 2], values: [5, 6, 7, 8] },
    });
    const image: Signature = {
      inputs: [{ name: 'picture', type: 'string', shape: [1] }],
      outputs: [],
    };
    const tensors = await readInputs({ ...nothing, image: 'a.png' }, image, folder);
    expect(tensors['picture']).toEqual({
      type: 'string',
      shape: [1],
      elements: [Buffer.from([0x89, 0x50, 0xff])],
    });
  });

  it('takes a bare text for a string input', async () => {
    const prompt: Signature = { inputs: [{ name: 't', type: 'string', shape: [1] }], outputs: [] };
    expect(await shown({ input: ['t=hello world'] }, prompt)).toEqual({
      t: { shape: [1], values: ['hello world'] },
    });
  });

  it.each([
    [{ input: ['y=1'] }, 'INPUT_UNKNOWN', 'There is no input "y". The inputs are: x.'],
    [{}, 'INPUT_MISSING', 'The input "x" (float32[batch, 2]) is missing: give --input x=….'],
    [
      { input: ['x=[1,2,3]'] },
      'INPUT_DATA',
      'Input "x": 3 values of shape [3] do not fit the shape [batch, 2].',
    ],
    [{ input: ['x=[[1,2],[3]]'] }, 'INPUT_DATA', 'Input "x": its lists are not all of one length.'],
    [{ input: ['x=[[1,"a"]]'] }, 'INPUT_DATA', 'Input "x": "a" is not a number.'],
    [{ input: ['x=[1e39,2]'] }, 'INPUT_DATA', 'Input "x": 1e+39 does not fit float32.'],
    [{ data: '{"inputs":[null]}' }, 'USAGE', '--data: an input has no name.'],
    [
      { data: '{"inputs":[{"name":"x","shape":[2,2],"data":[1,2]}]}' },
      'INPUT_DATA',
      'Input "x": shape [2, 2] takes 4 values, not 2.',
    ],
    [
      { data: '{"inputs":[{"name":"x","shape":[-1,2],"data":[1,2]}]}' },
      'INPUT_DATA',
      'Input "x": [-1,2] is not a shape.',
    ],
    [
      { data: '{"inputs":[{"name":"x","shape":[2],"data":[1,2]}]}' },
      'INPUT_DATA',
      'Input "x": the shape [2] does not fit [batch, 2].',
    ],
    [{ input: ['x=[1,'] }, 'USAGE', /^--input x is not JSON: /],
    [
      { input: ['x=none.npy'] },
      'FILE_UNREADABLE',
      /^"none.npy" cannot be read: there is no such file/,
    ],
    [{ input: ['x=@a.png'] }, 'INPUT_DATA', 'Input "x": 3 bytes do not fill float32[batch, 2].'],
    [{ image: 'a.png' }, 'USAGE', /no input takes bytes/],
    [{ data: '[1]' }, 'USAGE', /not a JSON object/],
  ])('explains %j', async (given, code, message) => {
    const error = await shown(given).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SkeinError);
    expect((error as SkeinError).code).toBe(code);
    if (typeof message === 'string') expect((error as SkeinError).message).toBe(message);
    else expect((error as SkeinError).message).toMatch(message);
  });
});

describe('encodeValues', () => {
  it('holds every value of a type, at both ends, and no other', () => {
    const ends: [ElementType, string, string][] = [
      ['int8', '-128', '127'],
      ['uint16', '0', '65535'],
      ['int64', '-9223372036854775808', '9223372036854775807'],
      ['uint64', '0', '18446744073709551615'],
    ];
    for (const [type, low, high] of ends) {
      const held = encodeValues(type, [2], [low, high]);
      expect(held.type).toBe(type);
      for (const beyond of [BigInt(low) - 1n, BigInt(high) + 1n]) {
        expect(() => encodeValues(type, [1], [String(beyond)])).toThrow(/whole number/);
      }
    }
    expect(() => encodeValues('int32', [1], [1.5])).toThrow('1.5 is not a whole number of int32');
  });

  it('keeps NaN and the infinities by name', () => {
    const held = encodeValues('float32', [3], ['NaN', 'Infinity', '-Infinity']);
    expect(tensorElements(held)).toEqual([Number.NaN, Infinity, -Infinity]);
  });
});

describe('resolveShape', () => {
  it('always gives a shape that fits the declared one and holds every value', () => {
    const dimension = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant('n'), fc.constant(null));
    fc.assert(
      fc.property(fc.array(dimension, { maxLength: 4 }), fc.nat(64), (declared, count) => {
        let shape: number[];
        try {
          shape = resolveShape([count], declared, count);
        } catch {
          return;
        }
        expect(shape).toHaveLength(declared.length);
        expect(shape.reduce((product, size) => product * size, 1)).toBe(count);
        declared.forEach((size, at) => {
          if (typeof size === 'number') expect(shape[at]).toBe(size);
        });
      }),
    );
  });
});
