import fc from 'fast-check';
import { expect, it } from 'vitest';
import { linkTo, routeOf } from './route.ts';

it('finds every route that it links to, whatever its parts hold', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 });
  fc.assert(
    fc.property(text, text, (part, value) => {
      const link = linkTo('jobs', [part, part], { queue: value, state: '', group: undefined });
      expect(routeOf(link)).toEqual({ name: 'jobs', parts: [part, part], query: { queue: value } });
    }),
  );
});

it('parses an address that it did not make', () => {
  expect(routeOf('')).toEqual({ name: '', parts: [], query: {} });
  expect(routeOf('#/jobs/%E0%A4%A/?state')).toEqual({
    name: 'jobs',
    parts: ['%E0%A4%A'],
    query: { state: '' },
  });
});
