import { expect, it } from 'vitest';
import { bytesRead, paceText } from './pace.ts';

const MIB = 2 ** 20;

it('adds up the tables of a job', () => {
  const shards = [{ sizeBytes: 3 }, { sizeBytes: 4 }];
  expect(bytesRead({ tables: { data: { shards }, other: { shards } }, sql: 'FROM data' })).toBe(14);
});

it('has the rate and the time left once something is read', () => {
  expect(paceText('part', 0, 100 * MIB, 500)).toBe('part: 0 of 100 MiB');
  expect(paceText('part', 20 * MIB, 100 * MIB, 2000)).toBe(
    'part: 20 of 100 MiB, 10 MiB/s, 8 s left',
  );
});
