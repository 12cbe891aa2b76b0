/** How errors show values of callers. */
import { expect, test } from 'vitest';
import { brief } from './brief.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

test('an error shows only the start of a large or deep value, and reads no more of it', () => {
  const deep = JSON.parse(nested(1_000_000)) as unknown;
  expect(brief(deep)).toBe('[[…]]');
  expect(brief({ a: { b: deep } })).toBe('{"a":{…}}');
  expect(brief('x'.repeat(1_000_000))).toHaveLength(58);
  expect(brief(Array(1_000_000).fill(0)).length).toBeLessThanOrEqual(60);
  expect([brief([1, 'a', null]), brief(undefined), brief(1.5)]).toEqual([
    '[1,"a",null]',
    'missing',
    '1.5',
  ]);
});
