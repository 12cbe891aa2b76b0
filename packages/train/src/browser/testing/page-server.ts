/**
 * Serves this project to a page directly from disk: sources with their types removed, packages from
 * node_modules, and an import map that resolves names in a page as Node does.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(import.meta.dirname, '../../../../..');

/** All imports by name of training in a page; a new one must be added on purpose. */
const IMPORTS = [
  '@bufbuild/protobuf',
  '@bufbuild/protobuf/codegenv2',
  'onnx-buf',
  'onnxruntime-web/wasm',
  '@skein/onnx',
  '@skein/onnx/tensor',
  '@skein/runtime/contract',
];

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.ts': 'text/javascript',
  '.wasm': 'application/wasm',
};

const imports = Object.fromEntries(
  IMPORTS.map((name) => [name, fileURLToPath(import.meta.resolve(name)).replace(ROOT, '')]),
);

const PAGE = `<!doctype html>
<title>Training in a page</title>
<link rel="icon" href="data:," />
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  import { wasmBackend } from '/packages/train/src/run/wasm-backend.ts';
  import { takeSteps } from '/packages/train/src/browser/testing/take-steps.ts';
  globalThis.train = async (name) => {
    const [artifact, plan] = await Promise.all([
      fetch('/artifacts/' + encodeURIComponent(name) + '.onnx').then((answer) => answer.bytes()),
      fetch('/artifacts/' + encodeURIComponent(name) + '.json').then((answer) => answer.json()),
    ]);
    return takeSteps(wasmBackend, artifact, plan);
  };
</script>
`;

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/** @param artifacts files that are served below /artifacts/, by file name. */
export async function servePage(
  artifacts: ReadonlyMap<string, Uint8Array | string>,
): Promise<PageServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://page');
    contentOf(pathname).then(
      (content) => {
        response.setHeader('content-type', TYPES[extname(pathname)] ?? 'text/html');
        response.end(content);
      },
      () => response.writeHead(404).end(),
    );
  });

  async function contentOf(path: string): Promise<Uint8Array | string> {
    if (path === '/') return PAGE;
    const artifact = artifacts.get(decodeURIComponent(path.replace('/artifacts/', '')));
    if (artifact !== undefined) return artifact;
    const file = join(ROOT, path);
    return extname(file) === '.ts'
      ? stripTypeScriptTypes(await readFile(file, 'utf8'))
      : readFile(file);
  }

  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
