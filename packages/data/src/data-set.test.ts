import { expect, it } from 'vitest';
import { Source } from './data-set.ts';

it.each(['https://b.example/a.csv?sig=s3cr3t', 's3://me:s3cr3t@logs/*.csv'])(
  'a table refuses the address %s, and shows no value',
  (address) => {
    const remote = { address, sizeBytes: 1, identity: 'x' };
    for (const given of [{ shards: [], addresses: [address] }, { shards: [remote] }]) {
      const { success, error } = Source.safeParse({ format: 'csv', ...given });
      expect(success).toBe(false);
      expect(error?.message).not.toContain('s3cr3t');
    }
  },
);

it('a table takes addresses without credentials', () => {
  const addresses = ['https://b.example/a.csv?download=1', 's3://logs/*.csv?region=eu'];
  expect(Source.parse({ format: 'csv', shards: [], addresses }).addresses).toEqual(addresses);
});
