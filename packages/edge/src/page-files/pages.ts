/**
 * The files that a page of `@skein/edge/page` loads: scripts, workers and WebAssembly. From source they are bundled when
 * they are first asked for; an installed package has the bundles.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createHash } from 'node:crypto';
import type { Bytes } from '../trust/source.ts';

/** Entries of the bundles: scripts/pack.ts has the same names. */
type Script = 'edge' | 'edge-worker' | 'session-wasm' | 'session-webgpu' | 'service-worker';

export interface PageFilesOptions {
  /**
   * Folder `dist` of the package onnxruntime-web. The page then tries WebGPU, for which it loads 27 MB more, once. Default: the
   * page has WebAssembly alone.
   */
  readonly webgpu?: URL | undefined;
}

/** @returns the files by their names, all for one folder: `edge.js` for pages without a bundler, and what it loads. */
export async function pageFiles(options: PageFilesOptions = {}): Promise<Map<string, Bytes>> {
  const { webgpu } = options;
  const wasm = new URL('./', import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
  const scripts: Script[] = ['edge', 'edge-worker', 'session-wasm'];
  if (webgpu !== undefined) scripts.push('session-webgpu');
  const files = new Map<string, Bytes>();
  for (const script of scripts) files.set(`${script}.js`, await scriptOf(script));
  const copy = async (folder: URL, name: string): Promise<void> => {
    files.set(name, new Uint8Array(await readFile(new URL(name, folder))));
  };
  for (const end of ['mjs', 'wasm']) {
    await copy(wasm, `ort-wasm-simd-threaded.${end}`);
    if (webgpu !== undefined) await copy(webgpu, `ort-wasm-simd-threaded.asyncify.${end}`);
  }
  return files;
}

/**
 * The script of a service worker that keeps files of a page, for `keepOffline`.
 * @param files by their paths below the folder of the script: `index.html`, `edge/edge.js`.
 */
export async function serviceWorker(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  const digests = [...files].map(([path, bytes]) => [
    path,
    createHash('sha256').update(bytes).digest('base64'),
  ]);
  const listed = JSON.stringify(Object.fromEntries(digests));
  const script = new TextDecoder().decode(await scriptOf('service-worker'));
  return `self.SKEIN_FILES=${listed};\n${script}`;
}

const made = new Map<Script, Promise<Bytes>>();

function scriptOf(script: Script): Promise<Bytes> {
  const found = made.get(script) ?? makeScript(script);
  made.set(script, found);
  return found;
}

async function makeScript(script: Script): Promise<Bytes> {
  const installed = fileURLToPath(new URL(`./bundle/${script}.js`, import.meta.url));
  if (existsSync(installed)) return new Uint8Array(await readFile(installed));
  const { bundlePage } = await import('@skein/ui/bundle');
  const bundled = await bundlePage(new URL(`./${script}.ts`, import.meta.url));
  return new TextEncoder().encode(bundled.script);
}
