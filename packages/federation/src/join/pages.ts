/**
 * The page `/join` of a browser's site, and the files that it loads. It has a policy of its own: it
 * compiles WebAssembly and runs a worker, which no other page of a node may.
 *
 * From source the page is bundled when it is first asked for; an installed package has the bundle.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Page } from '@skein/http';
import { wasmFile } from '@skein/train/wasm-file';

/** Written by `npm run packages`. */
const BUNDLE = new URL('./bundle/', import.meta.url);

const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types join',
].join('; ');

const HEADERS = [
  ['Content-Security-Policy', POLICY],
  // No other page shares its process: the rows are in its memory.
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Embedder-Policy', 'require-corp'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cache-Control', 'no-cache'],
].flat();

/** The scripts, each from its first module. */
export const JOIN_SCRIPTS = { join: './main.tsx', worker: './site-worker.ts' } as const;

async function bundled(name: keyof typeof JOIN_SCRIPTS) {
  if (existsSync(BUNDLE)) {
    const read = (file: string) => readFile(new URL(file, BUNDLE), 'utf8').catch(() => '');
    return { script: await read(`${name}.js`), style: await read(`${name}.css`) };
  }
  const { bundlePage } = await import('@skein/ui/bundle');
  return bundlePage(new URL(JOIN_SCRIPTS[name], import.meta.url));
}

const page = (type: string, body: string | Uint8Array): Page => ({
  type,
  body: typeof body === 'string' ? Buffer.from(body) : body,
  headers: HEADERS,
});
const script = async (name: keyof typeof JOIN_SCRIPTS) =>
  page('text/javascript; charset=utf-8', (await bundled(name)).script);

const FILES: Readonly<Record<string, () => Promise<Page>>> = {
  '/join': async () =>
    page('text/html; charset=utf-8', await readFile(new URL('./join.html', import.meta.url))),
  '/join/join.js': () => script('join'),
  '/join/join.css': async () => page('text/css; charset=utf-8', (await bundled('join')).style),
  '/join/worker.js': () => script('worker'),
  // ONNX Runtime asks for it beside the script that it is in.
  '/join/ort-wasm-simd-threaded.wasm': async () =>
    page('application/wasm', await readFile(wasmFile())),
};

const pages = new Map<string, Promise<Page>>();

/** @param path of the URL, without its query. @returns absent where the page has no such file. */
export function serveJoin(path: string): Promise<Page> | undefined {
  const known = pages.get(path);
  if (known !== undefined || !Object.hasOwn(FILES, path)) return known;
  const made = FILES[path]!();
  pages.set(path, made);
  return made;
}
