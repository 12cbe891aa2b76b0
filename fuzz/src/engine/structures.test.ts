import { describe, expect, it } from 'vitest';
import { bytesInput } from './bytes.ts';
import { jsonInput } from './json.ts';
import { protobufInput, written } from './protobuf.ts';
import { Random } from './random.ts';

const message = written([
  { number: 1, wire: 0, value: 5n },
  { number: 2, wire: 2, value: [{ number: 3, wire: 2, value: Buffer.from('name') }] },
]);

describe.each([
  ['bytes', bytesInput(['word']), Buffer.from('some bytes to change')],
  ['JSON', jsonInput(['word']), Buffer.from('{"a":[1,{"b":"c"}],"d":null}')],
  ['a message', protobufInput(), message],
] as const)('%s', (_, structure, seed) => {
  const seeds = [seed];
  const made = (index: number) => {
    const random = new Random();
    random.reset(42, index);
    return Buffer.from(structure.mutate(seeds, random)).toString('latin1');
  };

  it('are the same for the same seed, whatever inputs came before', () => {
    const first = Array.from({ length: 50 }, (_, i) => made(i));
    expect(Array.from({ length: 50 }, (_, i) => made(49 - i)).reverse()).toEqual(first);
  });

  it('differ from input to input', () => {
    expect(new Set(Array.from({ length: 200 }, (_, i) => made(i))).size).toBeGreaterThan(100);
  });

  it('shrink only to smaller ones', () => {
    const smaller = [...structure.shrink(seed)];
    expect(smaller.length).toBeGreaterThan(0);
    expect(smaller.every(({ length }) => length <= seed.length)).toBe(true);
  });
});
