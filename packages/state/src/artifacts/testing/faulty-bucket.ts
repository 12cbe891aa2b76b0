/** A proxy that a test puts in front of a bucket's server: it delays, refuses or swallows requests. */
import { createServer, request as forward, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `silent`: it reads requests and never answers. `cut`: it ends their connections. */
export type BucketAnswer =
  | 'pass'
  | 'silent'
  | 'cut'
  | { readonly status: number; readonly code: string };

export interface FaultyBucket {
  /** The URL of a bucket of the server behind it, as reached through this one. */
  of(url: string): string;
  answer: BucketAnswer;
  /** Before each answer, in milliseconds. */
  delayMs: number;
  /** Requests that it has answered otherwise than by passing them on. */
  readonly refused: number;
  close(): void;
}

/** @param endpoint `http://HOST:PORT` of the server behind it. */
export async function startFaultyBucket(endpoint: string): Promise<FaultyBucket> {
  const { hostname, port } = new URL(endpoint);
  const held = new Set<ServerResponse>();
  let answer: BucketAnswer = 'pass';
  let refused = 0;
  const server = createServer((request, response) => {
    if (answer === 'silent') {
      refused += 1;
      held.add(response);
      request.resume();
      return;
    }
    if (answer === 'cut') {
      refused += 1;
      request.socket.destroy();
      return;
    }
    if (answer !== 'pass') {
      refused += 1;
      const { status, code } = answer;
      request.resume();
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.end(`<Error><Code>${code}</Code><Message>${code} here.</Message></Error>`);
      return;
    }
    const { method, headers, url: path } = request;
    const on = forward({ hostname, port, method, headers, path }, (upstream) => {
      setTimeout(() => {
        response.writeHead(upstream.statusCode ?? 500, upstream.headers);
        upstream.pipe(response);
      }, bucket.delayMs);
    });
    on.on('error', () => response.destroy());
    response.on('close', () => on.destroy());
    request.pipe(on);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bucket: FaultyBucket = {
    of: (url) => url.replace(endpoint, at),
    delayMs: 0,
    get answer() {
      return answer;
    },
    set answer(next) {
      answer = next;
      if (next === 'silent') return;
      for (const response of held) response.destroy();
      held.clear();
    },
    get refused() {
      return refused;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return bucket;
}
