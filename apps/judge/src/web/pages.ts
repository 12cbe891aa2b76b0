/**
 * The files of the page, made when they are first asked for. It inserts data as text; the only markup is a
 * statement, which the judge rendered itself.
 */
import { readFile } from 'node:fs/promises';
import { bundleOf, pagesOf } from '@skein/http';
import { bundlePage } from '@skein/ui/bundle';

const POLICY = {
  // Formulas and tables of statements use these style attributes, and no others.
  'style-src-attr': "'unsafe-inline'",
  'trusted-types': 'statement',
};

const file = (name: string) => () => readFile(new URL(name, import.meta.url));

const { script, style } = bundleOf(new URL('./bundle/', import.meta.url), 'judge', () =>
  bundlePage(new URL('./main.tsx', import.meta.url)),
);

/** @param path of the URL, without its query. @returns absent where the page has no such file. */
export const servePage = pagesOf(
  POLICY,
  { 'Cross-Origin-Opener-Policy': 'same-origin' },
  {
    '/': file('index.html'),
    '/favicon.ico': file('logo.svg'),
    '/judge/logo.svg': file('logo.svg'),
    '/judge/judge.js': script,
    '/judge/judge.css': style,
  },
);
