import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../testing/folder.ts';
import { findWords } from './find.ts';
import { checkedFiles } from './main.ts';
import { RULES } from './rules.ts';

describe.each(RULES)('$pattern', ({ in: place, example: [wrong, right], reason }) => {
  const path = place === 'help' ? 'docs/a.md' : 'a.ts';

  it('finds its example, and not what replaces it', () => {
    expect(findWords(path, wrong).map((found) => found.reason)).toContain(reason);
    expect(findWords(path, right)).toEqual([]);
  });
});

it('names the line, and finds openings of block comments and of the first of several lines', () => {
  const text = 'const a = 1;\n/**\n * What it sends.\n */\n// the caller waits\n// As it was\n';
  expect(findWords('a.ts', text).map(({ line }) => line)).toEqual([3]);
  expect(findWords('a.ts', '// Of the client\n')).toHaveLength(1);
});

it('allows the Unix user as code, and words that contain a metaphor', () => {
  expect(findWords('a.ts', "chown('nobody'); // runs as `nobody`, chown nobody:nogroup\n")).toEqual(
    [],
  );
  expect(findWords('a.ts', 'It overheard a company of workshops.\n')).toEqual([]);
  expect(findWords('a.ts', 'the user nobody\n')).toHaveLength(1);
});

it('counts words and parentheses of sentences over lines, and not those of code and tables', () => {
  const long = Array.from({ length: 26 }, () => 'word').join(' ');
  expect(
    findWords('a.md', `Short.\n\n${long.replace('word word', 'word\nword')}.\n`),
  ).toMatchObject([{ line: 3, reason: expect.stringContaining('26 words') }]);
  expect(findWords('a.md', `${long.slice(5)}. W${long.slice(6)}.\n`)).toEqual([]);
  expect(findWords('a.md', `\`\`\`sh\n${long}\n\`\`\`\n| ${long} |\n# ${long}\n`)).toEqual([]);
  const links = Array.from({ length: 26 }, () => '[A_B](c.md#a_b)').join(', ');
  expect(findWords('a.md', `- Errors: ${links}\n`)).toEqual([]);
  expect(findWords('a.md', `Errors are ${links}\n`)).toHaveLength(1);
  expect(findWords('a.md', 'One (a) and two (b).\n')).toHaveLength(1);
  expect(findWords('a.ts', `// ${long}\n`)).toEqual([]);
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
