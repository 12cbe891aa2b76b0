import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { replaceWeights } from './given-weights.ts';
import type { Model } from './model.ts';
import { tensorOf } from './protos.ts';
import { tensorOfNumbers } from '../tensor/numbers.ts';
import { values, type NumericTensor, type NumericType } from '../tensor/tensor.ts';

const FIT = { missing: [], extra: [], unfit: [] };

/** w: a weight; half: one of 16 bits; scale and axes: constants of the graph. */
function model(): Model {
  const graph = new GraphBuilder('model');
  graph.initializer('w', tensorOfNumbers('float32', [2], [1, 2]));
  graph.initializer('half', tensorOfNumbers('float16', [1], [1]));
  graph.initializer('scale', tensorOfNumbers('float32', [], [3]));
  graph.initializer('axes', tensorOfNumbers('int64', [1], [0]));
  return graph.model();
}

const given = (
  entries: Readonly<Record<string, readonly [NumericType, readonly number[], readonly number[]]>>,
): ReadonlyMap<string, NumericTensor> =>
  new Map(Object.entries(entries).map(([name, of]) => [name, tensorOfNumbers(...of)]));

const numbersIn = ({ graph }: Model): object =>
  Object.fromEntries(
    graph!.initializer.map((proto) => {
      const tensor = tensorOf(proto) as NumericTensor;
      return [proto.name, [tensor.type, ...values(tensor)]];
    }),
  );

describe('replaceWeights', () => {
  it.each(['float32', 'float16', 'bfloat16'] as const)(
    'takes %s for a weight of float32',
    (type) => {
      const changed = model();
      const tensors = given({ w: [type, [2], [-0.5, 8]], half: ['float16', [1], [2]] });
      expect(replaceWeights(changed, tensors)).toEqual(FIT);
      expect(numbersIn(changed)).toEqual({
        w: ['float32', -0.5, 8],
        // The bits of 2.
        half: ['float16', 0x4000],
        scale: ['float32', 3],
        axes: ['int64', 0n],
      });
    },
  );

  it('replaces constants that it is given', () => {
    const changed = model();
    const tensors = given({
      w: ['float32', [2], [0, 0]],
      half: ['float16', [1], [0]],
      scale: ['float32', [], [7]],
      axes: ['int64', [1], [1]],
    });
    expect(replaceWeights(changed, tensors)).toEqual(FIT);
    expect(numbersIn(changed)).toMatchObject({ scale: ['float32', 7], axes: ['int64', 1n] });
  });

  it('names every difference, and changes nothing then', () => {
    const unchanged = model();
    const tensors = given({
      w: ['float32', [1, 2], [5, 6]],
      axes: ['int32', [1], [1]],
      other: ['float32', [], [1]],
    });
    expect(replaceWeights(unchanged, tensors)).toEqual({
      missing: ['half'],
      extra: ['other'],
      unfit: ['w is float32[1, 2], not float32[2]', 'axes is int32[1], not int64[1]'],
    });
    expect(numbersIn(unchanged)).toEqual(numbersIn(model()));
  });

  it.each([
    ['float32', 'float16'],
    ['bfloat16', 'float16'],
    ['float64', 'float32'],
  ] as const)('does not round %s to %s', (type, wanted) => {
    const name = wanted === 'float16' ? 'half' : 'w';
    const sized = given({
      w: ['float32', [2], [0, 0]],
      half: ['float16', [1], [0]],
      [name]: name === 'half' ? [type, [1], [0]] : [type, [2], [0, 0]],
    });
    expect(replaceWeights(model(), sized).unfit).toEqual([
      expect.stringMatching(new RegExp(`^${name} is ${type}.*, not ${wanted}`)),
    ]);
  });

  it('refuses weights that one file cannot hold', () => {
    const large = model();
    Object.assign(large.graph!.initializer[0]!, { dims: [2n ** 30n] });
    const w: NumericTensor = { type: 'bfloat16', shape: [2 ** 30], bytes: new Uint8Array() };
    const tensors = new Map([...given({ half: ['float16', [1], [0]] }), ['w', w]]);
    expect(() => replaceWeights(large, tensors)).toThrow(
      /4294967298 bytes, more than one ONNX file/,
    );
  });
});
