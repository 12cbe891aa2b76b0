/** The landing page is the README: its title and first sentence become the hero, and the rest follows below. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MarkdownOptions, PageData } from 'vitepress';
import { ROOT } from './pages.ts';

const FRONT = 'index.md';

/** The title, and the sentence in bold below it. */
function titleAndSentence(root = ROOT): readonly [string, string] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const [, title, sentence] = /^# (.+)\n\n\*\*(.+)\*\*\n/.exec(text) ?? [];
  if (title === undefined || sentence === undefined) {
    throw new Error('README.md does not begin with a title and a sentence in bold');
  }
  return [title, sentence];
}

/** Gives the front page its layout. */
export function landingOf(page: PageData): void {
  if (page.relativePath !== FRONT) return;
  const [name, tagline] = titleAndSentence();
  page.frontmatter = {
    ...page.frontmatter,
    layout: 'home',
    hero: {
      name,
      tagline,
      actions: [
        { theme: 'brand', text: 'Start', link: '#start' },
        { theme: 'alt', text: 'Serve a model', link: '/docs/guide/serving' },
        { theme: 'alt', text: 'Why Skein', link: '/docs/why-skein' },
      ],
    },
  };
}

/** Leaves out of the text what the hero shows. */
export function withoutHero(markdown: Parameters<NonNullable<MarkdownOptions['config']>>[0]): void {
  markdown.core.ruler.push('without-hero', (state) => {
    const { realPath, path } = state.env as { readonly realPath?: string; readonly path: string };
    if ((realPath ?? path) !== join(ROOT, 'README.md')) return;
    const second = state.tokens.findIndex(({ type }, at) => at > 3 && type === 'paragraph_open');
    state.tokens.splice(0, second);
  });
}
