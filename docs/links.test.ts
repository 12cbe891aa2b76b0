/** Every relative link of every page leads to a file, and to a heading of it where it names one. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorOf } from './.vitepress/pages.ts';

const root = join(import.meta.dirname, '..');
const pages = globSync('**/*.md', {
  cwd: root,
  exclude: (path) => /node_modules|fixtures|^dist|(^|\/)\./.test(path),
});
/** Without what is in a fence or in code. */
const proseOf = (text: string): string =>
  text.replaceAll(/^(```|~~~)[^]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, '');

function headingsOf(file: string): Set<string> {
  const text = readFileSync(file, 'utf8').replaceAll(/^(```|~~~)[^]*?^\1/gm, '');
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    anchorOf(heading),
  );
  const anchors = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = '']) => name);
  return new Set([...headings, ...anchors]);
}

function brokenLinks(page: string): string[] {
  const prose = proseOf(readFileSync(join(root, page), 'utf8'));
  const links = [...prose.matchAll(/\]\(<?([^)>\s]+)>?(?: "[^"]*")?\)/g)].map(
    ([, link = '']) => link,
  );
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? join(root, page) : join(root, dirname(page), path);
    if (!existsSync(file)) return true;
    if (anchor === undefined || statSync(file).isDirectory() || !file.endsWith('.md')) return false;
    return !headingsOf(file).has(anchor);
  });
}

describe('links', () => {
  it('are searched in all pages', () => {
    expect(pages.map((page) => relative('.', page))).toContain('docs/guide/serving.md');
    expect(pages.length).toBeGreaterThan(40);
  });

  it.each(pages)('of %s lead somewhere', (page) => {
    expect(brokenLinks(page)).toEqual([]);
  });
});
