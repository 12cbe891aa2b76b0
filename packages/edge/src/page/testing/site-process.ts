/** Serves a folder as the web server of a page, in a process that a test can kill: `node site-process.ts FOLDER PORT`. */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const [folder = '', port = '0'] = process.argv.slice(2);
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url!, 'http://site');
  const file = join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
  if (!existsSync(file)) return response.writeHead(404).end();
  response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
  // Threads need a page that no other one shares its memory with.
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-embedder-policy', 'require-corp');
  return createReadStream(file).pipe(response);
}).listen(Number(port), '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port);
});
