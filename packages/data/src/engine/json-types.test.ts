import { expect, it } from 'vitest';
import { commonColumns, NO_VALUE } from './json-types.ts';

/** The type of one column that has these types in the shards, in any order. */
function common(...types: string[]): string | undefined {
  const forward = commonColumns(types.map((type) => ({ k: type })))['k'];
  const backward = commonColumns(types.toReversed().map((type) => ({ k: type })))['k'];
  expect(backward).toBe(forward);
  return forward;
}

it.each([
  [['BIGINT', 'BIGINT'], 'BIGINT'],
  [['BIGINT', 'DOUBLE'], 'DOUBLE'],
  [['UBIGINT', 'BIGINT'], 'HUGEINT'],
  [['DATE', 'VARCHAR'], 'VARCHAR'],
  [['DATE', 'TIMESTAMP'], 'VARCHAR'],
  [['TIMESTAMP', 'TIMESTAMP'], 'TIMESTAMP'],
  [['BIGINT', 'VARCHAR'], 'JSON'],
  [['BOOLEAN', 'BIGINT'], 'JSON'],
  [['JSON', 'BIGINT'], 'JSON'],
  [[NO_VALUE, 'BIGINT'], 'BIGINT'],
  [[NO_VALUE, NO_VALUE], 'JSON'],
  [[`${NO_VALUE}[]`, 'BIGINT[]'], 'BIGINT[]'],
  [[`${NO_VALUE}[]`, `${NO_VALUE}[]`], 'JSON[]'],
  [['BIGINT[]', 'BIGINT'], 'JSON'],
  [['BIGINT[]', 'DOUBLE[]'], 'DOUBLE[]'],
  [['STRUCT(a BIGINT)', 'VARCHAR'], 'JSON'],
  [
    ['STRUCT(a BIGINT, "b ""c" DATE)', 'STRUCT(a DOUBLE, "b ""c" DATE)'],
    'STRUCT(a DOUBLE, "b ""c" DATE)',
  ],
  [
    ['STRUCT(a BIGINT, s STRUCT(x VARCHAR)[])', 'STRUCT(a BIGINT, s STRUCT(x DATE)[])'],
    'STRUCT(a BIGINT, s STRUCT(x VARCHAR)[])',
  ],
  [['MAP(VARCHAR, BIGINT)', 'MAP(VARCHAR, DOUBLE)'], 'MAP(VARCHAR, DOUBLE)'],
])('%j has the common type %s', (types, expected) => {
  expect(common(...types)).toBe(expected);
});

it('reads the times of a part again as text, in every shard', () => {
  expect(common('STRUCT(t TIMESTAMP)', 'STRUCT(t TIMESTAMP)')).toBe('STRUCT(t TIMESTAMP)');
  expect(common('STRUCT(t TIMESTAMP)', 'STRUCT(t TIMESTAMP, a BIGINT)')).toMatch(/t VARCHAR/);
});

it('has the columns of all shards, in the order in which they appear', () => {
  const columns = commonColumns([
    { b: 'BIGINT', a: 'DATE' },
    { c: 'BIGINT', a: 'DATE' },
  ]);
  expect(Object.entries(columns)).toEqual([
    ['b', 'BIGINT'],
    ['a', 'DATE'],
    ['c', 'BIGINT'],
  ]);
});
