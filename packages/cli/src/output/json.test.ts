import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { toJson } from './json.ts';

it('is JSON of the same value, for every value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(toJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

it('puts lists of plain values on one line', () => {
  expect(toJson({ shape: [2, 3], data: [[1, null], ['a']], none: {} })).toBe(
    '{\n  "shape": [2, 3],\n  "data": [\n    [1, null],\n    ["a"]\n  ],\n  "none": {}\n}',
  );
});
