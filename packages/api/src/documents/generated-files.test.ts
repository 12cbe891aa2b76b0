import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../errors.ts';
import { GENERATED_FILES } from './generated-files.ts';

const root = join(import.meta.dirname, '../../../..');

describe.each(Object.entries(GENERATED_FILES))('%s', (path, render) => {
  it('matches the tables; `npm run docs` writes it again', () => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(render());
  });
});

it('the errors page has a heading for every code, so that links to it lead somewhere', () => {
  const page = readFileSync(join(root, 'docs/reference/errors.md'), 'utf8');
  const headings = [...page.matchAll(/^### (\w+)$/gm)].map(([, code]) => code);
  expect(new Set(headings)).toEqual(new Set(Object.keys(ERRORS)));
});
