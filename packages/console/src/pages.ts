/**
 * The console's files. From source, the page is bundled when it is first asked for; an installed package
 * has the bundle.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { programOf } from '@skein/api/commands';
import { bundleOf, pagesOf } from '@skein/http';

/** Written by `npm run packages`. */
const BUNDLE = new URL('./bundle/', import.meta.url);

const file = (name: string) => () => readFile(new URL(name, import.meta.url));

/** The page names commands as users of this node type them. */
async function page(): Promise<string> {
  const text = await readFile(new URL('./index.html', import.meta.url), 'utf8');
  return text.replace('data-program="skein"', `data-program="${programOf(process.env)}"`);
}

const { script, style } = bundleOf(BUNDLE, 'console', async () => {
  const { bundlePage } = await import('@skein/ui/bundle');
  return bundlePage(new URL('./main.tsx', import.meta.url));
});

/** @param path of the URL, without its query. @returns absent where the console has no such file. */
export const serveConsole = pagesOf(
  { 'img-src': "'self' blob: data:" },
  {},
  {
    '/': page,
    '/favicon.ico': file('./logo.svg'),
    '/console/logo.svg': file('./logo.svg'),
    '/console/console.js': script,
    '/console/console.css': style,
  },
);

/** The style sheet of the reference at `/docs`, which the node renders itself. */
export function docsStyle(): string {
  const bundled = new URL('docs.css', BUNDLE);
  if (existsSync(bundled)) return readFileSync(bundled, 'utf8');
  const theme = new URL(import.meta.resolve('@skein/ui/theme.css'));
  const own = new URL('./styles/docs.css', import.meta.url);
  return [theme, own].map((sheet) => readFileSync(sheet, 'utf8')).join('\n');
}
