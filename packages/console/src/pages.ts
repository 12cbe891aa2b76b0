/**
 * The console's files. The page may load only these and may connect only to its own node; it
 * inserts text as text, never as markup.
 *
 * From source, the page is bundled when it is first asked for; an installed package has the bundle.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** A text that a browser requests by its path. */
export interface Page {
  /** Media type. */
  readonly type: string;
  /** Bytes, so that a thousand slow clients share one copy of it. */
  readonly body: Uint8Array;
  /** Name and value in turn. */
  readonly headers: readonly string[];
}

/** Written by `npm run packages`. */
const BUNDLE = new URL('./bundle/', import.meta.url);

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

const page = (type: string, body: string): Page => ({
  type,
  body: Buffer.from(body),
  headers: CONSOLE_POLICY,
});

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/** The style sheet of the reference at `/docs`, which the node renders itself. */
export function docsStyle(): string {
  const bundled = new URL('docs.css', BUNDLE);
  if (existsSync(bundled)) return readFileSync(bundled, 'utf8');
  const theme = fileURLToPath(import.meta.resolve('@skein/ui/theme.css'));
  return `${readFileSync(theme, 'utf8')}\n${read('./styles/docs.css')}`;
}

interface Bundled {
  readonly script: string;
  readonly style: string;
}

let bundled: Promise<Bundled> | undefined;

async function bundle(): Promise<Bundled> {
  if (existsSync(BUNDLE)) {
    const [script, style] = await Promise.all(
      ['console.js', 'console.css'].map((name) => readFile(new URL(name, BUNDLE), 'utf8')),
    );
    return { script: script ?? '', style: style ?? '' };
  }
  const { bundlePage } = await import('@skein/ui/bundle');
  return bundlePage(new URL('./main.tsx', import.meta.url));
}

const FILES: Readonly<Record<string, () => Promise<Page> | Page>> = {
  '/': () => page('text/html; charset=utf-8', read('./index.html')),
  '/favicon.ico': () => page('image/svg+xml', read('./logo.svg')),
  '/console/logo.svg': () => page('image/svg+xml', read('./logo.svg')),
  '/console/console.js': async () => {
    const { script } = await (bundled ??= bundle());
    return page('text/javascript; charset=utf-8', script);
  },
  '/console/console.css': async () => {
    const { style } = await (bundled ??= bundle());
    return page('text/css; charset=utf-8', style);
  },
};

const pages = new Map<string, Promise<Page> | Page>();

/** @param path of the URL, without its query. @returns absent where the console has no such file. */
export function serveConsole(path: string): Promise<Page> | Page | undefined {
  const known = pages.get(path);
  if (known !== undefined || !Object.hasOwn(FILES, path)) return known;
  const made = FILES[path]!();
  pages.set(path, made);
  return made;
}
