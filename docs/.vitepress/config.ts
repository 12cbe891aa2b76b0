/** The documentation as a site: `npm run docs:site` writes it to `dist/site`. */
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { defineConfig, type MarkdownOptions } from 'vitepress';
import manifest from '../../package.json' with { type: 'json' };
import { callsOnReference, REFERENCE } from './calls/on-reference.ts';
import { landingOf, withoutHero } from './landing.ts';
import { mendedTheme } from './mended-theme.ts';
import { navigation, topNavigation } from './navigation.ts';
import { addressOf, anchorOf, pages, resolveLink, ROOT } from './pages.ts';

const PAGES = pages();
/** Where on its host the site is: a released version keeps its pages in a folder of its own. */
const BASE = process.env['SITE_BASE'] ?? '/';

/** Files that pages link to and that are not pages. */
const copied = new Set<string>();

/** Links as the site has them, before the pages are checked for dead ones. */
const linksOfRepository: MarkdownOptions['config'] = (markdown) => {
  markdown.core.ruler.push('links-of-repository', ({ tokens, env }) => {
    const { realPath, path } = env as { readonly realPath?: string; readonly path: string };
    const page = relative(ROOT, realPath ?? path);
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const link = token.type === 'link_open' ? token.attrGet('href') : null;
      if (link === null) continue;
      const resolved = resolveLink(page, link);
      token.attrSet('href', resolved.href);
      if (resolved.copied !== undefined) copied.add(resolved.copied);
    }
  });
};

/** Blocks with titles that follow each other, such as one call from several clients, become tabs. */
const TITLED = /(?:^```\w+ \[[^\]]+\]\n[^]*?^```\n\n?){2,}/gm;

const tabsOfClients: MarkdownOptions['config'] = (markdown) => {
  markdown.core.ruler.before('normalize', 'tabs-of-clients', (state) => {
    state.src = state.src.replaceAll(TITLED, (blocks) => `::: code-group\n\n${blocks}\n:::\n\n`);
  });
};

/** A corner without text is no header. */
const emptyHeaders: MarkdownOptions['config'] = ({ core }) => {
  core.ruler.push('empty-headers', ({ tokens }) => {
    tokens.forEach((token, index) => {
      if (token.type !== 'th_open' || tokens[index + 1]?.content !== '') return;
      for (const cell of [token, tokens[index + 2]!]) cell.tag = 'td';
    });
  });
};

/** Braces in code are text; Vue takes `{{ … }}` for an expression elsewhere. */
const bracesInCode: MarkdownOptions['config'] = ({ renderer, utils }) => {
  renderer.rules['code_inline'] = (tokens, index) =>
    `<code v-pre>${utils.escapeHtml(tokens[index].content)}</code>`;
};

export default defineConfig({
  title: 'Skein',
  description: 'The systems side of machine learning in TypeScript.',
  lang: 'en',
  srcDir: '..',
  srcExclude: ['**/dist/**', 'apps/judge/problems/**', '**/fixtures/**'],
  rewrites: Object.fromEntries(
    PAGES.filter((page) => page !== addressOf(page)).map((page) => [page, addressOf(page)]),
  ),
  base: BASE,
  outDir: join(ROOT, 'dist/site', BASE),
  cacheDir: join(ROOT, 'node_modules/.cache/vitepress'),
  // Braces in headings are parameters of addresses, not attributes.
  markdown: {
    config: (markdown) => {
      tabsOfClients(markdown);
      linksOfRepository(markdown);
      bracesInCode(markdown);
      emptyHeaders(markdown);
      withoutHero(markdown);
      callsOnReference(markdown, manifest.version);
    },
    anchor: { slugify: anchorOf },
    attrs: { disable: true },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark' },
  },
  vite: { plugins: [mendedTheme()] },
  head: [['link', { rel: 'icon', href: `${BASE}logo.svg`, type: 'image/svg+xml' }]],
  transformPageData: (page) => {
    landingOf(page);
    // Its addresses are too long for the outline.
    if (page.relativePath === REFERENCE) page.frontmatter['outline'] = 2;
  },
  themeConfig: {
    logo: '/logo.svg',
    nav: topNavigation(BASE),
    sidebar: navigation().map((group) => ({ ...group, items: [...group.items] })),
    outline: [2, 3],
    search: { provider: 'local' },
    notFound: {
      title: 'Page not found',
      quote: 'The address may belong to another version. Search, or begin at the front page.',
      linkText: 'Front page',
      linkLabel: 'Front page',
    },
  },
  buildEnd: ({ outDir }) => {
    cpSync(join(ROOT, 'packages/console/src/logo.svg'), join(outDir, 'logo.svg'));
    for (const file of copied) {
      mkdirSync(join(outDir, dirname(file)), { recursive: true });
      cpSync(join(ROOT, file), join(outDir, `${file}.txt`));
    }
  },
});
