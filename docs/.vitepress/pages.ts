/**
 * The pages of the site and where their links lead. The site has the addresses of the repository, so that a
 * relative link that works in a checkout works here too: a page keeps its path, a folder with a README is
 * that page, and any other file that a page links to is copied as plain text.
 */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

const PAGES = [
  '*.md',
  'docs/**/*.md',
  '{packages,apps,examples}/*/README.md',
  '{bench,fuzz}/README.md',
];

/** Every page, by its path from the root of the repository. */
export function pages(root = ROOT): string[] {
  return globSync(PAGES, { cwd: root, exclude: ['**/node_modules'] }).sort();
}

/** The first heading of a page, without marks. */
export function titleOf(page: string, root = ROOT): string {
  const [, title = page] = /^# (.+)$/m.exec(readFileSync(join(root, page), 'utf8')) ?? [];
  return title.replaceAll(/[`*]/g, '');
}

/** A README is the page of its folder. */
export function addressOf(page: string): string {
  return page.replace(/README\.md$/, 'index.md');
}

/** The anchor of a heading, by the rule of GitHub. */
export function anchorOf(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-');
}

export interface Link {
  readonly href: string;
  /** The file that is copied beside the pages, because it is not one of them. */
  readonly copied?: string;
}

/** Where a link of a page leads on the site. Throws where it leads nowhere. */
export function resolveLink(page: string, link: string, root = ROOT): Link {
  if (/^[a-z]+:|^#/.test(link)) return { href: link };
  const [path = '', anchor] = link.split('#');
  let target = join(dirname(page), path);
  if (existsSync(join(root, target, 'README.md'))) target = join(target, 'README.md');
  if (!existsSync(join(root, target)) || statSync(join(root, target)).isDirectory()) {
    throw new Error(`${page}: the link ${link} leads to no file and to no folder with a README.md`);
  }
  if (pages(root).includes(target)) {
    return { href: `/${addressOf(target)}${anchor === undefined ? '' : `#${anchor}`}` };
  }
  return { href: `/${target}.txt`, copied: target };
}
