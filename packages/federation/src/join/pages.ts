/**
 * The page `/join` of a browser's site, and the files that it loads. It has a policy of its own: it
 * compiles WebAssembly and runs a worker, which no other page of a node may.
 *
 * From source the page is bundled when it is first asked for; an installed package has the bundle.
 */
import { readFile } from 'node:fs/promises';
import { bundleOf, pagesOf } from '@skein/http';
import { wasmFile } from '@skein/train/wasm-file';

const POLICY = {
  'script-src': "'self' 'wasm-unsafe-eval'",
  'worker-src': "'self'",
  'trusted-types': 'join',
};

/** No other page shares its process: the rows are in its memory. */
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** @param entry the first module. */
const bundled = (name: string, entry: string) =>
  bundleOf(new URL('./bundle/', import.meta.url), name, async () => {
    const { bundlePage } = await import('@skein/ui/bundle');
    return bundlePage(new URL(entry, import.meta.url));
  });

const { script, style } = bundled('join', './main.tsx');

/** @param path of the URL, without its query. @returns absent where the page has no such file. */
export const serveJoin = pagesOf(POLICY, HEADERS, {
  '/join': () => readFile(new URL('./join.html', import.meta.url)),
  '/join/join.js': script,
  '/join/join.css': style,
  '/join/worker.js': bundled('worker', './site-worker.ts').script,
  // ONNX Runtime asks for it next to its own script.
  '/join/ort-wasm-simd-threaded.wasm': () => readFile(wasmFile()),
});
