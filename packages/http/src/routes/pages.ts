/** The pages of a service: files that a browser requests by their paths, under a strict policy. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

/** A text that a browser requests by its path. */
export interface Page {
  /** Media type. */
  readonly type: string;
  /** Bytes, so that a thousand slow clients share one copy of it. */
  readonly body: Uint8Array;
  /** Name and value alternating. */
  readonly headers: readonly string[];
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.ico': 'image/svg+xml',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** A page loads its own files, connects to its own service, and inserts no text as markup. */
const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
  'require-trusted-types-for': "'script'",
};

const HEADERS = {
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

/**
 * @param policy directives of the content security policy added to every page's, or in their place.
 * @param headers further ones.
 * @param files what makes each file, by its path. One without an ending is HTML.
 * @returns finds a file by its path: made when it is first asked for, and kept unless that fails.
 */
export function pagesOf(
  policy: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
  files: Readonly<Record<string, () => Promise<string | Uint8Array>>>,
): (path: string) => Promise<Page> | undefined {
  const directives = Object.entries({ ...POLICY, ...policy }).map((words) => words.join(' '));
  const security = { 'Content-Security-Policy': directives.join('; ') };
  const all = Object.entries({ ...security, ...HEADERS, ...headers }).flat();
  const kept = new Map<string, Promise<Page>>();
  async function made(path: string): Promise<Page> {
    try {
      const type = TYPES[extname(path)] ?? 'text/html; charset=utf-8';
      return { type, body: Buffer.from(await files[path]!()), headers: all };
    } catch (error) {
      kept.delete(path);
      throw error;
    }
  }
  return (path) => {
    if (!kept.has(path) && Object.hasOwn(files, path)) kept.set(path, made(path));
    return kept.get(path);
  };
}

interface Bundle {
  readonly script: string;
  readonly style: string;
}

/**
 * The script of a page and its style sheet: as an installed package brings them, and as they are bundled
 * from source elsewhere, once.
 * @param folder of the package's bundles, written by `npm run packages`.
 */
export function bundleOf(folder: URL, name: string, make: () => Promise<Bundle>) {
  let bundled: Promise<Bundle> | undefined;
  const read = (file: string) => readFile(new URL(file, folder), 'utf8').catch(() => '');
  const load = async (): Promise<Bundle> =>
    existsSync(folder)
      ? { script: await read(`${name}.js`), style: await read(`${name}.css`) }
      : make();
  const loaded = () => (bundled ??= load());
  return {
    script: async () => (await loaded()).script,
    style: async () => (await loaded()).style,
  };
}
