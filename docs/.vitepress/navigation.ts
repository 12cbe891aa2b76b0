/** The navigation, made from the folders; the last list of the README says in which order their pages are read. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DefaultTheme } from 'vitepress';
import { addressOf, pages, resolveLink, ROOT, titleOf } from './pages.ts';
import { versionsIn, type Versions } from './versions.ts';

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

/**
 * The bar at the top of each page, with a menu of versions. Pages that a release keeps under an address of their own
 * list that release alone: later ones did not exist.
 */
export function topNavigation(
  base = '/',
  { shown, released }: Versions = versionsIn(),
): DefaultTheme.NavItem[] {
  const next = released.length === 0 ? 'next: nothing is released yet' : 'next: not released';
  const unreleased = shown === 'next' ? [{ text: next, link: '/CHANGELOG#unreleased' }] : [];
  const kept = released.map((version) => ({
    text: version,
    link: `/v${version}/`,
    target: '_self',
  }));
  return [
    { text: 'Guides', link: '/docs/guide/serving', activeMatch: '/docs/guide/' },
    { text: 'API', link: '/docs/reference/api' },
    { text: 'Errors', link: '/docs/reference/errors' },
    {
      text: shown,
      items: base === '/' ? [...unreleased, ...kept] : [{ text: shown, link: '/CHANGELOG' }],
    },
  ];
}

/** What a page links to, in the order of its text. */
function linkedFrom(page: string, root: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/[^!]\[[^\]]*\]\(([^)\s]+)\)/g)].map(
    ([, link = '']) =>
      resolveLink(join(dirname(page), 'README.md'), link, root).href.split('#')[0] ?? '',
  );
}
