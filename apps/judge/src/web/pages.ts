/**
 * The files of the page, read once. It may load nothing but these and talk to nobody but its own
 * judge. Whatever it shows is put into the document as text; the one piece of markup is a statement,
 * which the judge rendered itself.
 */
import { readFileSync } from 'node:fs';

export interface Page {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Formulas and tables of statements carry attributes of style, and no more than those.
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

const FILES = [
  'theme.css',
  'judge.css',
  'problem.css',
  'tables.css',
  'statement.css',
  'verdict.css',
  'logo.svg',
  'judge.js',
  'api.js',
  'dom.js',
  'editor.js',
  'format.js',
  'judging.js',
  'problem-page.js',
  'problems-page.js',
  'session.js',
  'standings-page.js',
  'submissions-page.js',
] as const;

/** @param openApi the description of the API. @returns finds a page by its path. */
export function judgePages(openApi: object): (path: string) => Page | undefined {
  const index = page('index.html');
  const pages = new Map<string, Page>([
    ['/', index],
    ['/favicon.ico', page('logo.svg')],
    [
      '/openapi.json',
      {
        headers: { 'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*' },
        body: JSON.stringify(openApi),
      },
    ],
    ...FILES.map((name) => [`/judge/${name}`, page(name)] as const),
  ]);
  return (path) => pages.get(path);
}

function page(name: string): Page {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  return {
    headers: {
      'Content-Type': TYPES[extension] ?? 'application/octet-stream',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-cache',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
    },
    body: readFileSync(new URL(name, import.meta.url)),
  };
}
