import { describe, expect, it } from 'vitest';
import { globMatches } from './glob.ts';

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
  ])('%s matches %s', (pattern, path) => expect(globMatches(pattern, path)).toBe(true));

  it.each([
    ['accepted', 'accepted2/a.py'],
    ['accepted/*/x', 'accepted/a.py'],
    ['a.py', 'aXpy'],
    ['secret/[12]', 'secret/1'],
    ['a*b', 'a/b'],
  ])('%s does not match %s', (pattern, path) => {
    expect(globMatches(pattern, path)).toBe(false);
  });
});
