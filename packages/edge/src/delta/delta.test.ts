/** Deltas of models and of any bytes: what comes out is the new file, and a hostile delta gives no other. */
import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { GraphBuilder, seededRandom, tensor, writeModel, type NumericTensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { retrained, smallModel } from '../bundle/testing/small-bundle.ts';
import type { Bytes } from '../trust/source.ts';
import { differenceCoder } from './differences.ts';
import { makeDelta } from './make-delta.ts';
import { decoder, encoder, probabilities } from './range-coder.ts';
import { followRecipe } from './recipe.ts';

/** A model whose weights are the given tensors, in this order. */
function modelOf(weights: Readonly<Record<string, NumericTensor>>): Bytes {
  const graph = new GraphBuilder('weights');
  graph.input('x', 'float32', ['n']);
  graph.node('Identity', ['x'], {}, { outputs: ['y'] });
  for (const [name, each] of Object.entries(weights)) graph.initializer(name, each);
  graph.output('y', 'float32', ['n']);
  return new Uint8Array(writeModel(graph.model()));
}

const noise = (seed: number, count: number, size: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => (random.next() * 2 - 1) * size);
};
const int8 = (numbers: readonly number[]): NumericTensor =>
  tensor('int8', [numbers.length], Int8Array.from(numbers, Math.round));
const float32 = (numbers: readonly number[]): NumericTensor =>
  tensor('float32', [numbers.length], Float32Array.from(numbers));

describe('the new file comes out', () => {
  it('of any two files', () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((each) => new Uint8Array(each));
    /** Files with parts in common. */
    const pair = fc
      .tuple(fc.array(bytes, { maxLength: 4 }), fc.array(fc.nat(8)))
      .map(([parts, order]) => {
        const whole = (list: readonly Uint8Array[]) =>
          new Uint8Array(list.flatMap((each) => [...each]));
        return [whole(parts), whole(order.map((at) => parts[at] ?? Uint8Array.of(at)))] as const;
      });
    const comesOut = fc.property(pair, ([parent, target]) => {
      expect(followRecipe(parent, makeDelta(parent, target), target.length)).toEqual(target);
    });
    expect(() => fc.assert(comesOut, { numRuns: 300 })).not.toThrow();
  });

  const before = noise(1, 20_000, 120);
  it.each([
    ['int8', int8(before), int8(before.map((each, i) => each + noise(2, 20_000, 1)[i]!)), 0.3],
    ['float32', float32(before), float32(before.map((each) => each * 1.0001)), 0.55],
    [
      'int32',
      tensor('int32', [3], Int32Array.of(2 ** 31 - 1, -(2 ** 31), 0)),
      tensor('int32', [3], Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 1)),
      1.1,
    ],
    [
      'int8 that overflows',
      int8([-128, 127, 0, 5].flatMap((each) => [each, each, each, each])),
      int8([127, -128, 1, 5].flatMap((each) => [each, each, each, each])),
      1.1,
    ],
    [
      'float16',
      tensor('float16', [9], Uint16Array.from([1, 2, 3, 4, 5, 6, 7, 65_535, 0])),
      tensor('float16', [9], Uint16Array.from([2, 2, 3, 4, 5, 6, 7, 0, 65_535])),
      1.1,
    ],
  ])('of models whose weights of %s changed', (_, old, now, share) => {
    const [parent, target] = [modelOf({ w: old }), modelOf({ w: now })];
    const delta = makeDelta(parent, target);
    expect(followRecipe(parent, delta, target.length)).toEqual(target);
    expect(gzipSync(delta).length / gzipSync(target).length).toBeLessThan(share);
  });

  it('and what did not change costs nothing, also in another order or under another name', () => {
    const [a, b, c] = [1, 2, 3].map((seed) => int8(noise(seed, 20_000, 120)));
    const parent = modelOf({ a: a!, b: b!, c: c! });
    for (const [weights, most] of [
      [{ a: a!, b: b!, c: c! }, 40],
      [{ c: c!, a: a!, b: b! }, 120],
      [{ other: a!, b: b! }, 120],
    ] as const) {
      const target = modelOf(weights);
      const delta = makeDelta(parent, target);
      expect(followRecipe(parent, delta, target.length)).toEqual(target);
      expect(delta.length).toBeLessThan(most);
    }
  });

  it('and weights that have nothing to do with those before are stored as they are', () => {
    const target = modelOf({ w: int8(noise(2, 20_000, 60)) });
    const delta = makeDelta(modelOf({ w: int8(noise(1, 20_000, 120)) }), target);
    expect(gzipSync(delta).length).toBeLessThan(gzipSync(target).length * 1.01);
  });
});

describe('a hostile delta', () => {
  const parent = smallModel(1);
  const target = retrained(parent, 2);
  const good = makeDelta(parent, target);

  it('in which any one byte is another gives an error or other bytes, of the signed length', () => {
    let wrong = 0;
    for (let at = 0; at < good.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const delta = good.slice();
        delta[at]! ^= mask;
        try {
          expect(followRecipe(parent, delta, target.length)).toHaveLength(target.length);
          wrong += 1;
        } catch (error) {
          expect(error).toMatchObject({ code: 'EDGE_UNTRUSTED' });
        }
      }
    }
    expect(wrong).toBeGreaterThan(0);
  });

  it.each([
    ['nothing', [], 'ends within its recipe'],
    ['another form', [2], 'a form that this device does not read'],
    ['an unknown kind', [1, 9, 1], 'an impossible step at byte 0'],
    ['a step of no bytes', [1, 0, 0], 'an impossible step'],
    ['more than the file', [1, 0, 101, 0], 'an impossible step'],
    [
      'a copy from beyond the parent',
      [1, 0, 100, 0xff, 0xff, 0xff, 0xff, 0x0f],
      'beyond its parent',
    ],
    ['an insert beyond the delta', [1, 1, 100, 7], 'ends within its recipe'],
    ['a part of a number', [1, 4, 99, 0], 'a part of a number'],
    ['too many digits', [1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 'too many digits'],
  ])('with %s is refused', (_, bytes, message) => {
    expect(() => followRecipe(parent, Uint8Array.from(bytes), 100)).toThrow(message);
  });
});

describe('the range coder', () => {
  it.each([0.5, 0.1, 0.01])('takes about the entropy of bits with %d ones', (chance) => {
    const random = seededRandom(1);
    const bits = Array.from({ length: 50_000 }, () => (random.next() < chance ? 1 : 0));
    const coder = encoder();
    const one = probabilities(1);
    for (const bit of bits) coder.bit(one, 0, bit);
    const bytes = coder.finish();
    const entropy = -chance * Math.log2(chance) - (1 - chance) * Math.log2(1 - chance);
    expect((8 * bytes.length) / bits.length).toBeLessThan(entropy * 1.08);
    const [reader, same] = [decoder(bytes), probabilities(1)];
    expect(bits.findIndex((bit) => reader.bit(same, 0, 0) !== bit)).toBe(-1);
  });

  it('carries through many bytes, and gives every difference of a width back', () => {
    const whole = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const anyOf = {
      1: fc.integer({ min: -128, max: 127 }),
      2: fc.integer({ min: -32_768, max: 32_767 }),
      4: whole,
    };
    for (const width of [1, 2, 4] as const) {
      const comesBack = fc.property(
        fc.array(fc.oneof(anyOf[width], fc.constant(0)), { maxLength: 500 }),
        (numbers) => {
          const coder = encoder();
          const code = differenceCoder(coder, width);
          for (const each of numbers) code(each);
          const read = differenceCoder(decoder(coder.finish()), width);
          expect(numbers.map(() => read(0))).toEqual(numbers);
        },
      );
      expect(() => fc.assert(comesBack, { numRuns: 2000 })).not.toThrow();
    }
  });
});
