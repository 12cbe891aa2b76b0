/** The list of decisions names each page once, by the number and the title that the page has. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = join(import.meta.dirname, 'decisions');
const contentOf = (name: string): string => readFileSync(join(folder, name), 'utf8');

it('lists every decision with the number of its file', () => {
  const pages = readdirSync(folder).filter((name) => /^\d{4}-.*\.md$/.test(name));
  const wanted = pages.sort().map((name) => {
    const [, title] = /^# (.+)$/m.exec(contentOf(name)) ?? [];
    expect(title).toMatch(new RegExp(`^${Number(name.slice(0, 4))}\\. `));
    return `- [${title}](${name})`;
  });
  // Markdown numbers the items of an ordered list consecutively, also where a number was never used.
  const listed = contentOf('README.md').match(/^(?:-|\d+\.) \[.*$/gm);
  expect(listed).toEqual(wanted);
});
