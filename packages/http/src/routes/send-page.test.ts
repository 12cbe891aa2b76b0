/** Pages over real HTTP: compressed as the client takes them, and not sent to one that has them. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveRoutes, type Service } from './service.ts';
import { pagesOf } from './pages.ts';

const SCRIPT = 'export const line = "the same again";\n'.repeat(200);

let service: Service;
beforeAll(async () => {
  const logger = { debug() {}, warn() {}, error() {} };
  service = await serveRoutes(
    {},
    {},
    {
      host: '127.0.0.1',
      port: 0,
      about: { title: 'Pages', version: '1', description: '', keys: '', commonErrors: [] },
      access: { authorize: () => ({ tenant: 'guests' }), watch: () => () => {} },
      pages: pagesOf(
        {},
        {},
        {
          '/': async () => 'short',
          '/page.js': async () => SCRIPT,
          '/broken.js': async () => Promise.reject(new Error('no file')),
        },
      ),
      logger,
    },
  );
});
afterAll(() => service.close(0));

interface Answer extends Pick<IncomingMessage, 'headers'> {
  readonly status: number | undefined;
  readonly body: Buffer;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpRequest(service.url + path, { method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(pieces),
        }),
      );
    })
      .on('error', reject)
      .end();
  });
}

test.each([
  ['br, gzip', 'br', brotliDecompressSync],
  ['gzip, deflate, br;q=0', 'gzip', gunzipSync],
  ['GZIP;q=0.5', 'gzip', gunzipSync],
  ['*', 'br', brotliDecompressSync],
  ['*;q=0, gzip', 'gzip', gunzipSync],
])('a client that accepts %s gets it in %s', async (accepted, encoding, decompress) => {
  const { headers, body } = await get('/page.js', { 'accept-encoding': accepted });
  expect(headers['content-encoding']).toBe(encoding);
  expect(headers.vary).toBe('Accept-Encoding');
  expect(headers['content-length']).toBe(String(body.length));
  expect(body.length).toBeLessThan(SCRIPT.length / 4);
  expect(decompress(body).toString()).toBe(SCRIPT);
});

test.each([
  ['/page.js', {}, SCRIPT],
  ['/page.js', { 'accept-encoding': 'identity, br;q=0.0' }, SCRIPT],
  ['/', { 'accept-encoding': 'br' }, 'short'],
])('%s with %o is sent as it is', async (path, given, text) => {
  const { headers, body } = await get(path, given);
  expect(headers['content-encoding']).toBeUndefined();
  expect(headers.vary).toBe('Accept-Encoding');
  expect(body.toString()).toBe(text);
});

test('a client that has the form of the page that it accepts gets 304 and no body', async () => {
  const tags = new Set<string>();
  for (const accepted of ['identity', 'gzip', 'br']) {
    const first = await get('/page.js', { 'accept-encoding': accepted });
    const { etag } = first.headers;
    expect(etag).toMatch(/^"[\w-]+"$/);
    tags.add(etag!);
    for (const known of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get('/page.js', { 'accept-encoding': accepted, 'if-none-match': known });
      expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, etag]);
      expect(again.headers['cache-control']).toBe('no-cache');
      expect(again.headers['content-security-policy']).toBe(
        first.headers['content-security-policy'],
      );
    }
    const other = await get('/page.js', {
      'accept-encoding': accepted,
      'if-none-match': '"other"',
    });
    expect([other.status, other.body.length]).toEqual([200, first.body.length]);
  }
  expect(tags.size).toBe(3);
});

test('HEAD has the headers of GET, and a page that cannot be made has no tag', async () => {
  const accepted = { 'accept-encoding': 'br' };
  const [head, whole] = await Promise.all([
    get('/page.js', accepted, 'HEAD'),
    get('/page.js', accepted),
  ]);
  expect(head.body.length).toBe(0);
  for (const name of ['etag', 'content-length', 'content-encoding']) {
    expect(head.headers[name]).toBe(whole.headers[name]);
  }
  const broken = await get('/broken.js', { ...accepted, 'if-none-match': '*' });
  expect([broken.status, broken.headers.etag]).toEqual([500, undefined]);
});
