/** The pages of the site, its links, navigation and versions; `npm run docs:site` builds it and refuses dead links. */
import { describe, expect, it } from 'vitest';
import { navigation, topNavigation } from './.vitepress/navigation.ts';
import { pages, resolveLink } from './.vitepress/pages.ts';
import { versionsIn } from './.vitepress/versions.ts';

describe('a link of a page', () => {
  const from = 'docs/guide/serving.md';

  it('to a page leads to that page, and to its heading', () => {
    expect(resolveLink(from, 'jobs.md#retries')).toEqual({ href: '/docs/guide/jobs.md#retries' });
    expect(resolveLink(from, '../../README.md')).toEqual({ href: '/index.md' });
  });

  it('to a folder leads to its README', () => {
    expect(resolveLink(from, '../../packages/jobs')).toEqual({ href: '/packages/jobs/index.md' });
  });

  it('to another file leads to a copy of it', () => {
    expect(resolveLink(from, '../../examples/ocr/boxes.ts')).toEqual({
      href: '/examples/ocr/boxes.ts.txt',
      copied: 'examples/ocr/boxes.ts',
    });
  });

  it('out of the site or within the page stays as it is', () => {
    for (const href of ['https://onnx.ai/', '#retries']) {
      expect(resolveLink(from, href)).toEqual({ href });
    }
  });

  it.each(['jbos.md', '../../packages/jobs/src'])('is refused where %s is no page', (link) => {
    expect(() => resolveLink(from, link)).toThrow(`${from}: the link ${link} leads to no file`);
  });
});

describe('the navigation', () => {
  const groups = navigation();

  it('has every page but the front page once', () => {
    const links = groups.flatMap(({ items }) => items.map(({ link }) => link));
    expect(new Set(links).size).toBe(links.length);
    expect(links).toHaveLength(pages().length - 1);
  });

  it('has the guides in the order of the README', () => {
    const guides = groups.find(({ text }) => text === 'Guides')?.items.map(({ text }) => text);
    expect(guides?.slice(0, 3)).toEqual(['Serving a model', 'Compositions', 'Operating a node']);
  });
});

describe('the menu of versions', () => {
  const UNRELEASED = '# Changelog\n\n## [Unreleased]\n\nNothing yet.\n';

  it('shows next where nothing is released, or something is not', () => {
    expect(versionsIn(UNRELEASED)).toEqual({ shown: 'next', released: [] });
    expect(
      versionsIn(`${UNRELEASED}\n## [0.2.0] - 2027-01-01\n\n## [0.1.0] - 2026-12-24\n`),
    ).toEqual({
      shown: 'next',
      released: ['0.2.0', '0.1.0'],
    });
  });

  it('shows the newest version where nothing came after it', () => {
    const released = '## [Unreleased]\n\n## [0.1.0] - 2026-12-24\n\n### Added\n';
    expect(versionsIn(released).shown).toBe('0.1.0');
  });

  it('leads to the pages of each release, and from those to no later one', () => {
    const versions = { shown: 'next', released: ['0.1.0'] };
    expect(topNavigation('/', versions).at(-1)).toEqual({
      text: 'next',
      items: [
        { text: 'next: not released', link: '/CHANGELOG#unreleased' },
        { text: '0.1.0', link: '/v0.1.0/', target: '_self' },
      ],
    });
    expect(topNavigation('/v0.1.0/', { ...versions, shown: '0.1.0' }).at(-1)).toEqual({
      text: '0.1.0',
      items: [{ text: '0.1.0', link: '/CHANGELOG' }],
    });
  });
});
