import { expect, it } from 'vitest';
import { fromWire, toWire } from './errors.ts';

it('bounds a circle of causes', () => {
  const error = new Error('outer');
  error.cause = new Error('inner', { cause: error });
  let depth = 0;
  for (let each: unknown = fromWire(toWire(error)); each instanceof Error; each = each.cause)
    depth++;
  expect(depth).toBeGreaterThan(2);
  expect(depth).toBeLessThan(20);
});

it('leaves out fields that no message can hold', () => {
  const error = Object.assign(new Error('full'), { code: 'FULL', retry: () => 1, at: { ms: 3 } });
  const read = fromWire(toWire(error));
  expect(Object.entries(read)).toEqual([
    ['code', 'FULL'],
    ['at', { ms: 3 }],
  ]);
});

it('survives JSON, which leaves undefined out', () => {
  const wire = JSON.parse(JSON.stringify(toWire(new RangeError('far')))) as ReturnType<
    typeof toWire
  >;
  expect(fromWire(wire)).toMatchObject({ name: 'RangeError', message: 'far' });
});
