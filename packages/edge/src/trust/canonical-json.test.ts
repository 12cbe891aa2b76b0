import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

const { canonicalize } = createRequire(import.meta.url)('@tufjs/canonical-json') as {
  readonly canonicalize: (value: unknown) => string;
};

it('writes what the canonical JSON of tuf-js writes', () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'binary' }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 5 }),
    ),
  }));
  const isSame = fc.property(value, (each) => canonicalJson(each) === canonicalize(each));
  expect(() => fc.assert(isSame)).not.toThrow();
});

it.each([0.5, Number.NaN, 2 ** 53, Infinity])('refuses %d, which has no one form', (number) => {
  expect(() => canonicalJson({ number })).toThrow(TypeError);
});
