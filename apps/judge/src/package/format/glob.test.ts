import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatches, globOf } from './glob.ts';

const matches = (pattern: string, path: string): boolean => globMatches(globOf(pattern), path);

describe('a pattern of submissions.yaml', () => {
  it.each([
    ['accepted', 'accepted/a.py'],
    ['accepted/*', 'accepted/a.py'],
    ['accepted/*.py', 'accepted/a.py'],
    ['*/a.{py,cpp}', 'accepted/a.cpp'],
    ['{a,b{c,d}}', 'bd'],
    ['secret/group1', 'secret/group1/03'],
    ['secret/*-easy', 'secret/1-easy'],
    ['a.py', 'a.py'],
  ])('%s matches %s', (pattern, path) => expect(matches(pattern, path)).toBe(true));

  it.each([
    ['accepted', 'accepted2/a.py'],
    ['accepted/*/x', 'accepted/a.py'],
    ['a.py', 'aXpy'],
    ['secret/[12]', 'secret/1'],
    ['a*b', 'a/b'],
  ])('%s does not match %s', (pattern, path) => {
    expect(matches(pattern, path)).toBe(false);
  });

  it('matches as a regular expression would', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
    fc.assert(
      fc.property(name, name, (pattern, text) => {
        const source = pattern.replaceAll('.', String.raw`\.`).replaceAll(/\*+/g, '.*');
        expect(matches(pattern, text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('that a regular expression would try for years is answered', () => {
    expect(matches('*a'.repeat(50) + '*b', 'a'.repeat(250))).toBe(false);
  });
});
