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
  /** Whether a request for a part gets a part. */
  hasRanges: boolean;
  /** The next answers stop after so many bytes, and their connections stay open. */
  readonly stalls: number[];
  /** Bytes of files that were sent. */
  sentBytes: number;
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
    const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const isSame = [undefined, etag].includes(request.headers['if-range'] as string | undefined);
    const isPart = from !== undefined && isSame && server.hasRanges;
    const start = isPart ? Number(from) : 0;
    const part = isPart && last ? bytes.subarray(start, Number(last) + 1) : bytes.subarray(start);
    response.writeHead(isPart ? 206 : 200, {
      'content-length': part.byteLength,
      ...(isPart
        ? { 'content-range': `bytes ${start}-${start + part.byteLength - 1}/${bytes.byteLength}` }
        : {}),
      ...tagged,
    });
    const stall = server.stalls.shift();
    if (stall !== undefined) return void response.write(part.subarray(0, stall));
    server.sentBytes += part.byteLength;
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
    hasRanges: true,
    stalls: [],
    sentBytes: 0,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((done) => {
        http.close(done);
      });
    },
  };
  return server;
}
