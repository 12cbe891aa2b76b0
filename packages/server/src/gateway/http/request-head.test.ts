/** Requests whose first lines are unusual: each gets an answer, or an error with a body. */
import { describe, expect, test } from 'vitest';
import { raw, startSocketFace } from '../testing/http-sockets.ts';

const LIVE = '/v2/health/live';

async function answerTo(request: string): Promise<{ status: number; json: unknown }> {
  const { port } = await startSocketFace();
  const client = raw(port);
  client.socket.write(`${request}\r\n\r\n`);
  const text = await client.until(/\r\n\r\n\{.*\}$/s);
  const [head, body] = text.split('\r\n\r\n') as [string, string];
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), json: JSON.parse(body) };
}

describe('answered', () => {
  test.each([
    ['HTTP/1.0 without Host', `GET ${LIVE} HTTP/1.0`],
    ['HTTP/1.0 that expects an answer', `GET ${LIVE} HTTP/1.0\r\nExpect: 100-continue`],
    ['a whole URL', `GET http://localhost:4700${LIVE}?a=1 HTTP/1.1\r\nHost: localhost`],
    ['a whole URL without Host', `GET http://localhost${LIVE} HTTP/1.1`],
    ['a whole URL, whose host counts', `GET HTTP://127.0.0.1${LIVE} HTTP/1.1\r\nHost: example.com`],
  ])('%s', async (_, request) => {
    expect(await answerTo(request)).toEqual({ status: 200, json: { live: true } });
  });
});

describe('refused with a body', () => {
  test.each([
    ['HTTP/1.1 without Host', `GET ${LIVE} HTTP/1.1`, 400, 'REQUEST_INVALID', /no Host header/],
    [
      'two Host headers',
      `GET ${LIVE} HTTP/1.1\r\nHost: localhost\r\nHOST: example.com`,
      400,
      'REQUEST_INVALID',
      /more than one Host header/,
    ],
    [
      'an unknown expectation',
      `GET ${LIVE} HTTP/1.1\r\nHost: localhost\r\nExpect: magic`,
      400,
      'REQUEST_INVALID',
      /Expect header is "magic"/,
    ],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a', 400, 'REQUEST_INVALID', /not a proxy/],
    [
      'a target of another scheme',
      'GET ftp://localhost/ HTTP/1.1\r\nHost: localhost',
      400,
      'REQUEST_INVALID',
      /neither a path nor/,
    ],
    [
      'a URL of another host, with the name of this one next to it',
      `GET http://evil.example.com${LIVE} HTTP/1.1\r\nHost: localhost`,
      403,
      'ORIGIN_FORBIDDEN',
      /"evil.example.com"/,
    ],
    [
      'HTTP/1.0 of another host',
      `GET ${LIVE} HTTP/1.0\r\nHost: a.com`,
      403,
      'ORIGIN_FORBIDDEN',
      /a/,
    ],
    [
      'a path that begins twice',
      `GET /${LIVE} HTTP/1.1\r\nHost: localhost`,
      404,
      'ROUTE_UNKNOWN',
      /\/\//,
    ],
    [
      'a whole URL whose path begins twice',
      `GET http://localhost/${LIVE} HTTP/1.1\r\nHost: localhost`,
      404,
      'ROUTE_UNKNOWN',
      /\/\//,
    ],
    [
      'a path that begins with a slash and a backslash',
      `GET /\\localhost${LIVE} HTTP/1.1\r\nHost: localhost`,
      404,
      'ROUTE_UNKNOWN',
      /\\\\/,
    ],
    [
      'an empty name',
      'POST /v2/models//infer HTTP/1.1\r\nHost: localhost',
      404,
      'ROUTE_UNKNOWN',
      /\/\//,
    ],
    [
      'an empty area',
      'GET /v2//health/live HTTP/1.1\r\nHost: localhost',
      404,
      'ROUTE_UNKNOWN',
      /\/\//,
    ],
    ['slashes alone', 'GET // HTTP/1.1\r\nHost: localhost', 404, 'ROUTE_UNKNOWN', /\/\//],
  ] as const)('%s', async (_, request, status, code, message) => {
    const answer = await answerTo(request);
    expect(answer).toMatchObject({ status, json: { code, error: expect.stringMatching(message) } });
  });
});
