/** Bytes on a connection of a running node's HTTP API. */
import { connect } from 'node:net';
import { ENDPOINTS, type NodeEndpoint } from '@skein/api';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';
import { startLiveNode } from './live-node.ts';

/** Milliseconds without a byte after which a connection is given up: event streams never end. */
const SILENCE_MS = 250;
/** Calls with an endless response, or that change the machine. */
const LEFT_OUT = /events|Composition|drain/i;

export async function openHttp(): Promise<Target> {
  const node = await startLiveNode();
  const body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]}';
  const request = (head: string, content = '') =>
    Buffer.from(
      `${head} HTTP/1.1\r\nHost: localhost:${node.port}\r\n${content === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${content.length}\r\n`}\r\n${content}`,
    );
  const calls = Object.entries(ENDPOINTS as Readonly<Record<string, NodeEndpoint>>)
    .filter(([operation, { events }]) => events === undefined && !LEFT_OUT.test(operation))
    .map(([, { method, path, example = {} }]) => {
      const filled = path.replaceAll(
        /\{(\w+)\}/g,
        (_, name: string) => example.params?.[name] ?? 'a',
      );
      const query = new URLSearchParams(example.query).toString();
      const text = example.body === undefined ? '' : JSON.stringify(example.body);
      return request(`${method} ${filled}${query === '' ? '' : `?${query}`}`, text);
    });
  return {
    seeds: [
      request('POST /v2/models/echo/infer', body),
      request('GET /v2/models/echo'),
      request('GET /v2/health/ready'),
      request('POST /v2/repository/index', '{"ready":true}'),
      request('GET /metrics'),
      Buffer.concat([request('GET /v2'), request('POST /v2/models/echo/infer', body)]),
      Buffer.from(
        `POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost:${node.port}\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      ),
      ...calls,
    ],
    structure: bytesInput([
      '\r\n',
      '\r\n\r\n',
      'Content-Length: ',
      'Transfer-Encoding: chunked\r\n',
      'Content-Encoding: gzip\r\n',
      'Inference-Header-Content-Length: 0\r\n',
      'Authorization: Bearer x\r\n',
      'Connection: close\r\n',
      'Upgrade: h2c\r\n',
      'Expect: 100-continue\r\n',
      'Skein-Timeout-Ms: 1\r\n',
      'Last-Event-ID: 9\r\n',
      '%00',
      '%2e%2e/',
      '../',
      '//',
      '?',
      'ffffffffffffffff\r\n',
      '0\r\n\r\n',
      '{',
      '[',
      '"',
    ]),
    refuses: () => false,
    // Fuzzing shares the machine with the node that it talks to.
    bounds: { timeMs: 5000 },
    async run(input) {
      const answer = await exchange(node.port, input);
      const fault = /HTTP\/1\.1 5(?!03|04|07)\d\d[^]*/.exec(answer)?.[0];
      if (fault !== undefined) throw new Error(`the node answered ${fault.slice(0, 600)}`);
    },
    close: () => node.close(),
  };
}

/** Sends the bytes and the end of the stream; resolves with the response up to the node's close. */
function exchange(port: number, input: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
    socket.end(input);
  });
}
