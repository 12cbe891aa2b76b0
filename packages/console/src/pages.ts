/**
 * The console's files, read once. The page may load nothing but these and may talk to nobody but its
 * own node; what it shows is put into the document as text, never as markup.
 */
import { readFileSync } from 'node:fs';

/** A text that a browser asks for by its path. */
export interface Page {
  /** Media type. */
  readonly type: string;
  /** Bytes, so that a thousand clients that do not take the page hold one copy of it. */
  readonly body: Uint8Array;
  /** Name and value in turn. */
  readonly headers: readonly string[];
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

const theme = read('./theme.css');

/** Style sheets for pages that the node renders itself. */
export const STYLES = { docs: `${theme}\n${read('./docs.css')}` } as const;

const CONSOLE_POLICY = [
  'Content-Security-Policy',
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'X-Frame-Options',
  'DENY',
  'Referrer-Policy',
  'no-referrer',
  'Cache-Control',
  'no-cache',
];

const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

function page(name: string, body = read(`./${name}`)): Page {
  const extension = name.slice(name.lastIndexOf('.') + 1) as keyof typeof TYPES;
  return { type: TYPES[extension], body: Buffer.from(body), headers: CONSOLE_POLICY };
}

const FILES = [
  'console.css',
  'deployments.css',
  'reader.css',
  'views.css',
  'confirm.js',
  'console.js',
  'deployments.js',
  'decisions.js',
  'dom.js',
  'feed.js',
  'format.js',
  'key.js',
  'live.js',
  'parts.js',
  'reader.js',
  'router.js',
  'sparkline.js',
  'jobs/jobs.css',
  'jobs/job.js',
  'jobs/jobs.js',
  'jobs/log.js',
  'jobs/queues.js',
  'jobs/sandboxes.js',
  'jobs/state.js',
  'runs/runs.css',
  'runs/compare.js',
  'runs/curves.js',
  'runs/run.js',
  'runs/runs.js',
];

const PAGES: ReadonlyMap<string, Page> = new Map([
  ['/', page('index.html')],
  ['/favicon.ico', page('logo.svg')],
  ['/console/logo.svg', page('logo.svg')],
  ['/console/theme.css', page('theme.css', theme)],
  ...FILES.map((name) => [`/console/${name}`, page(name)] as const),
]);

/** @param path of the URL, without its query. */
export function serveConsole(path: string): Page | undefined {
  return PAGES.get(path);
}
