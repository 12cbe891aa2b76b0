import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMAND_NAMES } from './commands.ts';
import { GENERATED_FILES } from './command-line/reference.ts';

const root = join(import.meta.dirname, '../../..');

it.each(Object.entries(GENERATED_FILES))(
  '%s equals the command table; packages/cli/scripts/write-reference.ts writes it anew',
  async (path, render) => {
    expect(await readFile(join(root, path), 'utf8')).toBe(await render());
  },
);

it('the page has a heading for every command, so that links to it lead somewhere', async () => {
  const page = await readFile(join(root, 'docs/reference/cli.md'), 'utf8');
  const headings = [...page.matchAll(/^### skein (.+)$/gm)].map((match) => match[1]);
  expect(headings).toEqual([...COMMAND_NAMES]);
});

it('the matrix of what works has every command', async () => {
  const matrix = await readFile(join(root, 'docs/reference/evidence.md'), 'utf8');
  const [table = ''] = /^## Command line\n[\s\S]*?(?=\n## )/m.exec(matrix) ?? [];
  const cells = [...table.matchAll(/^\| `([^`]+)`/gm)].flatMap(([, cell = '']) => cell.split(' '));
  const commands = COMMAND_NAMES.map((name) => name.split(' ')[0]!);
  expect(commands.filter((name) => name !== 'help' && !cells.includes(name))).toEqual([]);
});
