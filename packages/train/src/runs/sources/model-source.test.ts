import { expect, it } from 'vitest';
import { networkOf, assertFitsMemory } from './model-source.ts';

it('refuses a network that fits neither into the memory nor into a file', () => {
  const GIB = 2 ** 30;
  expect(() => assertFitsMemory('mlp:9', 1e6, GIB)).not.toThrow();
  expect(() => assertFitsMemory('mlp:9', 1e8, GIB)).toThrow(
    /100,000,000 parameters on these data, which take at least 1\.49 GiB of memory.* has 1\.00 GiB/,
  );
  expect(() => assertFitsMemory('mlp:9', 6e8, 64 * GIB)).toThrow(/less than 2 GiB/);
});

it('counts the parameters before it makes any', () => {
  const shape = { inputs: 4, row: [1, 8, 8], outputs: 2, seed: 1 };
  expect(() => networkOf('mlp:99999999')!(shape)).toThrow('699,999,995 parameters');
  expect(() => networkOf('cnn:99999,99999')!(shape)).toThrow(/parameters on these data/);
});
