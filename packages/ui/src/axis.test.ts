import { expect, it } from 'vitest';
import { flatRange } from './axis.ts';

it('shows the bound, or a whole unit, where there are no numbers or they are alike', () => {
  expect(flatRange(null, null, 4)).toEqual([0, 4]);
  expect(flatRange(null, null, undefined)).toEqual([0, 1]);
  expect(flatRange(0, 0, 4)).toEqual([0, 4]);
  expect(flatRange(0, 0, undefined)).toEqual([0, 1]);
  expect(flatRange(3, 3, undefined)).toEqual([0, 3]);
  expect(flatRange(-2, -2, undefined)).toEqual([-2, 0]);
  expect(flatRange(1, 2, 4)).toBeUndefined();
});
