/**
 * Mends templates of VitePress's theme that assistive technology cannot use. A new version of VitePress that has
 * another template fails the build here, and not a reader.
 */
import type { Plugin } from 'vitepress';

const MENDS: readonly {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}[] = [
  // The front page and the page for wrong addresses have no main landmark.
  {
    file: 'VPContent.vue',
    from: 'id="VPContent"',
    to: `id="VPContent" :role="page.isNotFound || frontmatter.layout === 'home' ? 'main' : undefined"`,
  },
  // The heading of a group is a button around a button.
  {
    file: 'VPSidebarItem.vue',
    from: ':role="itemRole"',
    to: '',
  },
  {
    file: 'VPSidebarItem.vue',
    from: ':tabindex="item.items && 0"',
    to: '',
  },
  {
    file: 'VPSidebarItem.vue',
    from: 'aria-label="toggle section"',
    to: ':aria-label="`Pages of ${item.text}`" :aria-expanded="!collapsed"',
  },
  // Its name is what it shows; the style sheet writes the K, as it writes Ctrl.
  {
    file: 'VPNavBarSearchButton.vue',
    from: '<kbd class="DocSearch-Button-Key">K</kbd>',
    to: '<kbd class="DocSearch-Button-Key"></kbd>',
  },
  // The search is a button around its results, and each result an option around a link: a dialog with a list of links.
  ...[
    [
      `role="button"
      :aria-owns="results?.length ? 'localsearch-list' : undefined"
      aria-expanded="true"
      aria-haspopup="listbox"`,
      'role="dialog" aria-modal="true"',
    ],
    [
      `:aria-activedescendant="selectedIndex > -1 ? ('localsearch-item-' + selectedIndex) : undefined"
            aria-autocomplete="both"
            :aria-controls="results?.length ? 'localsearch-list' : undefined"`,
      '',
    ],
    [`:role="results?.length ? 'listbox' : undefined"`, ''],
    [
      `:aria-selected="selectedIndex === index ? 'true' : 'false'"
            role="option"`,
      '',
    ],
    ...['navigateUp', 'navigateDown', 'select'].map((key) => [
      `<kbd :aria-label="translate('modal.footer.${key}KeyAriaLabel')">`,
      `<kbd role="img" :aria-label="translate('modal.footer.${key}KeyAriaLabel')">`,
    ]),
    [`:aria-label="[...p.titles, p.title].join(' > ')"`, ''],
  ].map(([from = '', to = '']) => ({ file: 'VPLocalSearchBox.vue', from, to })),
];

export function mendedTheme(): Plugin {
  return {
    name: 'mended-theme',
    enforce: 'pre',
    transform(code, id) {
      const mends = MENDS.filter(({ file }) => id.endsWith(`/theme-default/components/${file}`));
      return mends.length === 0 ? undefined : mends.reduce(mended, code);
    },
  };
}

function mended(code: string, { file, from, to }: (typeof MENDS)[number]): string {
  if (!code.includes(from)) throw new Error(`${file} of VitePress has no ${from}: mend it anew`);
  return code.replace(from, to);
}
