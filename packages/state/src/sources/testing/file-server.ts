/** A server of files on loopback, with ranges, entity tags, redirects, a list of files, and planted faults. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface FileServer extends AsyncDisposable {
  readonly url: string;
  /** By path. */
  readonly files: Map<string, Uint8Array>;
  /** Answers that are not files, by path. */
  readonly answers: Map<string, (response: ServerResponse) => void>;
  readonly requests: Pick<IncomingMessage, 'url' | 'headers'>[];
  /** Cuts the next answers after so many bytes. */
  readonly cuts: number[];
  /** Whether answers have entity tags. */
  hasTags: boolean;
}

export async function startFileServer(tls?: {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}): Promise<FileServer> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    server.requests.push({ url: request.url, headers: request.headers });
    const path = new URL(request.url ?? '/', 'http://host').pathname;
    const answer = server.answers.get(path);
    if (answer !== undefined) return answer(response);
    const bytes = server.files.get(path);
    if (bytes === undefined) return void response.writeHead(404).end('no such file');
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const tagged = server.hasTags ? { etag } : {};
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    const isPart = from !== undefined && request.headers['if-range'] === etag;
    const start = isPart ? Number(from) : 0;
    const part = bytes.subarray(start);
    response.writeHead(isPart ? 206 : 200, {
      'content-length': part.byteLength,
      ...(isPart
        ? { 'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }
        : {}),
      ...tagged,
    });
    const cut = server.cuts.shift();
    if (cut === undefined) response.end(part);
    // A connection that is reset could lose what was sent before.
    else response.write(part.subarray(0, cut), () => response.socket?.end());
  };
  const http = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  const { port } = http.address() as AddressInfo;
  const server: FileServer = {
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    files: new Map(),
    answers: new Map(),
    requests: [],
    cuts: [],
    hasTags: true,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((done) => {
        http.close(done);
      });
    },
  };
  return server;
}
