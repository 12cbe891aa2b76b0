/** The contract of a language, over every one of the registry. */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { hasExtension } from './language.ts';
import { detectLanguage, LANGUAGES } from './languages.ts';

const ACCEPTED = join(import.meta.dirname, '../../problems/ferry/submissions/accepted/*');
const PROGRAMS = globSync(ACCEPTED).map((path) => basename(path));

// The test of packages judges each of these programs in every sandbox.
it.each(LANGUAGES)('$name has a program in the example package', ({ extensions }) => {
  expect(PROGRAMS.filter((path) => hasExtension(path, extensions))).toHaveLength(1);
});

it.each(LANGUAGES)('$name is known by its files, and by no other', ({ code, extensions }) => {
  expect(LANGUAGES.filter((other) => other.code === code)).toHaveLength(1);
  for (const extension of extensions) {
    const file = { path: `main${extension}`, content: new Uint8Array(), executable: false };
    expect(detectLanguage([file])).toMatchObject({ code });
  }
});

it('takes C beside C++ for C++, and other mixtures for none', () => {
  const file = (path: string) => ({ path, content: new Uint8Array(), executable: false });
  expect(detectLanguage([file('a.c'), file('b.cpp')])).toMatchObject({ code: 'cpp' });
  const problem = expect.stringContaining('several languages');
  expect(detectLanguage([file('a.c'), file('b.py')])).toEqual({ problem });
  expect(detectLanguage([file('a.c'), file('b.cpp'), file('c.py')])).toEqual({ problem });
});
