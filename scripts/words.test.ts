import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from './testing/folder.ts';
import { checkedFiles, findWords } from './words.ts';

it('finds actors and metaphors in identifiers and sentences, with line and replacement', () => {
  const text = 'const serveNobody = 1;\n// the caller waits\n// Whoever calls: the loss of late\n';
  expect(findWords(text)).toEqual([
    { line: 1, text: 'const serveNobody = 1;', instead: expect.stringContaining('no caller') },
    {
      line: 3,
      text: '// Whoever calls: the loss of late',
      instead: expect.stringContaining('the caller that'),
    },
    { line: 3, text: '// Whoever calls: the loss of late', instead: '"recent"' },
  ]);
});

it('allows the Unix user as code, and words that contain a metaphor', () => {
  expect(findWords("chown('nobody'); // runs as `nobody`, chown nobody:nogroup\n")).toEqual([]);
  expect(findWords('It overheard a company of workshops.\n')).toEqual([]);
  expect(findWords('the user nobody\n')).toHaveLength(1);
});

it('checks sources and documents, and leaves out what is generated, installed or ignored', () => {
  const root = testFolder();
  const files = [
    'README.md',
    'packages/a/src/a.ts',
    'packages/a/src/b.gen.ts',
    'packages/a/src/fixtures/c.py',
    'packages/a/dist/a.mjs',
    'node_modules/d/d.ts',
    'apps/judge/problems/e/statement.md',
    'apps/judge/src/f.tsx',
    'logo.png',
  ];
  for (const file of files) {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  expect(checkedFiles(root)).toEqual(['README.md', 'apps/judge/src/f.tsx', 'packages/a/src/a.ts']);
});
