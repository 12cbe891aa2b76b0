/** The server of the page: its files, the published bundles, and a way to a node at the same origin. */
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  createServer,
  request as requestOf,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { once } from 'node:events';
import { pageFiles, serviceWorker } from '@skein/edge/page-files';
import { bundlePage } from '@skein/ui/bundle';
import { DICTIONARY } from '../ocr/models.ts';
import type { Published } from './bundles.ts';

export interface SiteOptions extends Published {
  readonly port: number;
  /** The node to which the page's requests go. */
  readonly node: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};
/** Threads of WebAssembly need a page that shares its memory with no other one. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cache-control': 'no-cache',
};

const read = async (path: string | URL): Promise<Uint8Array> =>
  new Uint8Array(await readFile(path));

/** All that the page needs to start without this server, by path. */
async function filesOf(root: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const { script, style } = await bundlePage(new URL('page/main.tsx', import.meta.url));
  const text = new TextEncoder();
  const files = new Map<string, Uint8Array>([
    ['index.html', await read(new URL('page/index.html', import.meta.url))],
    ['app.js', text.encode(script)],
    ['app.css', text.encode(style)],
    ['dictionary.txt', await read(DICTIONARY)],
    ['root.json', await read(root)],
    ['sample.png', await read(new URL('../ocr/images/invoice.png', import.meta.url))],
  ]);
  for (const [name, bytes] of await pageFiles()) files.set(`edge/${name}`, bytes);
  return files.set('sw.js', text.encode(await serviceWorker(files)));
}

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

export async function openSite({ published, root, port, node }: SiteOptions): Promise<Site> {
  const files = await filesOf(root);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://site');
    if (pathname.startsWith('/v2/')) return forward(request, response, node);
    const content = files.get(pathname === '/' ? 'index.html' : pathname.slice(1));
    const type = TYPES[extname(pathname) || '.html'] ?? 'application/octet-stream';
    if (content !== undefined) {
      return response.writeHead(200, { 'content-type': type, ...ISOLATED }).end(content);
    }
    // A name of a bundle's file has no part that leads upwards.
    const file = join(published, pathname.replace(/^\/published\//, ''));
    if (!/^\/published\/[\w./-]+$/.test(pathname) || /\.\./.test(pathname) || !existsSync(file)) {
      return response.writeHead(404, ISOLATED).end();
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', ...ISOLATED });
    return createReadStream(file).pipe(response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Passes a request on. A node answers only pages of its own origin, so the page asks this server. */
function forward(request: IncomingMessage, response: ServerResponse, node: string): void {
  const { host: _, origin: __, referer: ___, ...headers } = request.headers;
  const { method = 'GET', url = '/' } = request;
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith('sec-fetch-'));
  const sent = requestOf(new URL(url, node), { method, headers: Object.fromEntries(kept) });
  sent.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  sent.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(503, { 'retry-after': '5' }).end();
  });
  request.pipe(sent);
}
