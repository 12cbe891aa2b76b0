/** The navigation, made from the folders; the last list of the README says in which order their pages are read. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addressOf, pages, resolveLink, ROOT, titleOf } from './pages.ts';

export interface Group {
  readonly text: string;
  readonly collapsed: boolean;
  readonly items: readonly { readonly text: string; readonly link: string }[];
}

const GROUPS: readonly { readonly text: string; readonly pages: RegExp }[] = [
  { text: 'Guides', pages: /^docs\/guide\// },
  { text: 'Concepts', pages: /^docs\/(concepts\/|[^/]+$)/ },
  { text: 'Reference', pages: /^docs\/reference\// },
  { text: 'Packages', pages: /^packages\// },
  { text: 'Examples and applications', pages: /^(examples|apps)\// },
  { text: 'Decisions', pages: /^docs\/decisions\// },
  { text: 'Project', pages: /^([^/]+\.md|bench\/.*|fuzz\/.*)$/ },
];

const OPEN = 3;

/** Every page but the front page is in exactly one group. */
export function navigation(root = ROOT): Group[] {
  const order = linkedFrom('README.md', root);
  const rank = (page: string): number => {
    const place = order.lastIndexOf(`/${addressOf(page)}`);
    return place === -1 ? order.length : place;
  };
  const listed = pages(root).filter((page) => page !== 'README.md');
  return GROUPS.map((group, index) => ({
    text: group.text,
    collapsed: index >= OPEN,
    items: listed
      .filter((page) => group.pages.test(page))
      .sort((a, b) => rank(a) - rank(b))
      .map((page) => ({
        text: titleOf(page, root),
        link: `/${addressOf(page).replace(/(index)?\.md$/, '')}`,
      })),
  }));
}

/** What a page links to, in the order of its text. */
function linkedFrom(page: string, root: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/[^!]\[[^\]]*\]\(([^)\s]+)\)/g)].map(
    ([, link = '']) =>
      resolveLink(join(dirname(page), 'README.md'), link, root).href.split('#')[0] ?? '',
  );
}
