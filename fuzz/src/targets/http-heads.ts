/**
 * The heads that Skein reads itself, compared with Node's parser: what is accepted must be one request
 * there too, with the same method, target, headers and body.
 */
import { strictEqual, deepStrictEqual } from 'node:assert';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { HeadReader } from '../../../packages/http/src/whole/head-reader.ts';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';

interface Read {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

export function openHttpHeads(): Target {
  const server = createServer({ requireHostHeader: false, maxHeaderSize: 16 * 1024 });
  const body = '{"inputs":[{"name":"x"}]}';
  const request = (first: string, ...lines: readonly string[]) =>
    Buffer.from([first, ...lines, '', ''].join('\r\n'));
  const post = (...lines: readonly string[]) =>
    Buffer.concat([
      request('POST /v2/models/echo/infer HTTP/1.1', ...lines, `Content-Length: ${body.length}`),
      Buffer.from(body),
    ]);
  return {
    seeds: [
      post('Host: localhost', 'Content-Type: application/json', 'Connection: keep-alive'),
      post('host:localhost:8080', 'Inference-Header-Content-Length:  12 ', 'X-Request-Id:\ta '),
      post('Host: x', 'Authorization: Bearer sk_abc', 'Accept: */*', 'Empty:', 'Cookie: a=b; c'),
      request('GET /v2/health/ready?a=%20"b" HTTP/1.1', 'Host: x', 'User-Agent: curl/8'),
      post('Transfer-Encoding: chunked', 'Host: x'),
      post('Host: x', 'Connection: close'),
      post('Host: x', 'Expect: 100-continue'),
    ],
    structure: bytesInput([
      '\r\n',
      '\r\n\r\n',
      '\n',
      '\r',
      ' ',
      '\t',
      ':',
      ',',
      '\x00',
      '\x0b',
      '\x80',
      'Content-Length: 0\r\n',
      'Content-Length : 3\r\n',
      'content-length:+3\r\n',
      'Content-Length: 3, 3\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Transfer-Encoding:\x0bchunked\r\n',
      'Transfer_Encoding: chunked\r\n',
      'Connection: keep-alive, upgrade\r\n',
      'Connection: Transfer-Encoding\r\n',
      'Upgrade: h2c\r\n',
      'Host: y\r\n',
      'Set-Cookie: a\r\n',
      '__proto__: a\r\n',
      'constructor: a\r\n',
      ' folded\r\n',
      'HTTP/1.0',
      'GET ',
      'POST ',
      '#',
    ]),
    refuses: () => false,
    async run(input) {
      const bytes = Buffer.from(input);
      const head = new HeadReader({} as Socket).read(bytes);
      if (typeof head === 'string' || bytes.length < head.length) return;
      const all = await readByNode(server, bytes.subarray(0, head.length));
      strictEqual(all.length, 1, 'Node does not read one request');
      const [{ request: theirs, body: theirBody }] = all as [Read];
      strictEqual(head.request.method, theirs.method);
      strictEqual(head.request.url, theirs.url);
      strictEqual(head.request.httpVersion, theirs.httpVersion);
      deepStrictEqual({ ...head.request.headers }, { ...theirs.headers });
      deepStrictEqual(bytes.subarray(head.headLength, head.length), theirBody);
      strictEqual(theirs.complete, true);
    },
  };
}

/** The requests that Node's server reads from the bytes, and their bodies. */
async function readByNode(
  server: ReturnType<typeof createServer>,
  bytes: Buffer,
): Promise<readonly Read[]> {
  const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  wire.on('error', () => {});
  const reads: Promise<Read>[] = [];
  const onRequest = (request: IncomingMessage): void => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    reads.push(
      new Promise((resolve) => {
        const done = (): void => resolve({ request, body: Buffer.concat(parts) });
        request.once('end', done).once('close', done);
      }),
    );
  };
  server.on('request', onRequest).on('checkContinue', onRequest);
  server.on('clientError', ignore).on('upgrade', ignore);
  const ended = new Promise((resolve) => wire.once('close', resolve));
  server.emit('connection', wire);
  wire.push(bytes);
  wire.push(null);
  // The end of the stream closes it, when the server has read all of it.
  await ended;
  server.removeAllListeners('request').removeAllListeners('checkContinue');
  server.removeAllListeners('clientError').removeAllListeners('upgrade');
  return Promise.all(reads);
}

function ignore(): void {}
