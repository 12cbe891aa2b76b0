/**
 * The files of the page, read once. The page may load only these and send requests only to its own
 * judge. It inserts data as text; the only markup is a statement, which the judge rendered itself.
 */
import { readFileSync } from 'node:fs';
import type { Page } from '@skein/http';
import { bundlePage } from '@skein/ui/bundle';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Formulas and tables of statements use these style attributes, and no others.
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types statement',
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Bundles the page, which takes a tenth of a second. @returns finds a page by its path. */
export async function judgePages(): Promise<(path: string) => Page | undefined> {
  const { script, style } = await bundlePage(new URL('./main.tsx', import.meta.url));
  const logo = page('svg', read('logo.svg'));
  const pages = new Map<string, Page>([
    ['/', page('html', read('index.html'))],
    ['/favicon.ico', logo],
    ['/judge/logo.svg', logo],
    ['/judge/judge.js', page('js', Buffer.from(script))],
    ['/judge/judge.css', page('css', Buffer.from(style))],
  ]);
  return (path) => pages.get(path);
}

const read = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

function page(extension: string, body: Uint8Array): Page {
  return {
    type: TYPES[extension] ?? 'application/octet-stream',
    body,
    headers: [
      'Content-Security-Policy',
      POLICY,
      'Referrer-Policy',
      'no-referrer',
      'Cache-Control',
      'no-cache',
      'Cross-Origin-Opener-Policy',
      'same-origin',
    ],
  };
}
