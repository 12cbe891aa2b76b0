import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../folder.ts';
import { commandsOf, readPage } from './page.ts';

function stepsOf(...lines: readonly string[]) {
  const path = join(testFolder(), 'page.md');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return readPage(path);
}

it('joins commands over lines, and leaves comments out', () => {
  const [step] = stepsOf(
    '```sh',
    '# first',
    'skein ls \\',
    '  --json',
    "echo 'a",
    "b'",
    'cat <<EOF',
    'x',
    'EOF',
    '```',
  );
  expect(commandsOf(step!)).toEqual(['skein ls \\\n  --json', "echo 'a\nb'", 'cat <<EOF\nx\nEOF']);
});

it('gives an output to each client of a group, and to the last block alone without titles', () => {
  const steps = stepsOf(
    '```sh\nskein ls\n```\n\nThen:\n',
    '```sh [curl]\ncurl x\n```\n',
    '```python [Python]\nprint(1)\n```\n',
    'prints\n',
    '```text\n1\n```',
  );
  expect(steps.map(({ kind, expected }) => [kind, expected])).toEqual([
    ['commands', undefined],
    ['commands', ['1']],
    ['program', ['1']],
  ]);
});

it('takes a text block that begins with a command as typed, and a title with a dot as a file', () => {
  const steps = stepsOf(
    '```text',
    'docker run skein',
    '```',
    '```ts [a.ts]',
    'export {};',
    '```',
    '```ts',
    '0;',
    '```',
  );
  expect(steps.map(({ kind }) => kind)).toEqual(['commands', 'file']);
});
