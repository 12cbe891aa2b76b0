import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readProxyRequest } from './request-head.ts';

const read = (...lines: string[]) => readProxyRequest(lines.join('\r\n'));
const headOf = (...lines: string[]): string => {
  const request = read(...lines);
  return request?.kind === 'request' ? request.head.toString() : '';
};

describe('a request to a proxy', () => {
  test('is for a tunnel', () => {
    expect(read('CONNECT Example.ORG:443 HTTP/1.1', 'Host: elsewhere')).toEqual({
      kind: 'tunnel',
      target: { host: 'example.org', port: 443 },
    });
  });

  test('or is one request, whose origin form the server gets', () => {
    expect(
      headOf(
        'POST http://Example.org:8080/a/b?c=d#e HTTP/1.1',
        'Host: elsewhere',
        'Content-Length: 3',
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: Basic c2VjcmV0',
        'Connection: keep-alive, upgrade',
        'Upgrade: websocket',
        'X-Own: 1',
      ),
    ).toBe(
      'POST /a/b?c=d HTTP/1.1\r\nHost: example.org:8080\r\nContent-Length: 3\r\nX-Own: 1\r\nConnection: close\r\n\r\n',
    );
    expect(read('GET http://example.org HTTP/1.0')?.target).toEqual({
      host: 'example.org',
      port: 80,
    });
  });

  test.each([
    'GET / HTTP/1.1',
    'GET https://example.org/ HTTP/1.1',
    'GET ftp://example.org/ HTTP/1.1',
    'GET http://user:word@example.org/ HTTP/1.1',
    'GET http://example.org/ HTTP/2',
    'GET  http://example.org/ HTTP/1.1',
    'CONNECT example.org HTTP/1.1',
    'CONNECT [::1]:443 HTTP/1.1',
    'CONNECT http://example.org:443 HTTP/1.1',
    'CONNECT example.org:443',
    '',
  ])('is not %j', (line) => {
    expect(read(line)).toBeUndefined();
  });

  test('hides no field in the next line', () => {
    expect(read('GET http://a.org/ HTTP/1.1', 'X: 1', ' Host: b.org')).toBeUndefined();
    expect(read('GET http://a.org/ HTTP/1.1', 'X: 1\nHost: b.org')).toBeUndefined();
    expect(read('GET http://a.org/ HTTP/1.1', '\vHost: b.org')).toBeUndefined();
    expect(read('GET http://a.org/ HTTP/1.1', 'Host : b.org')).toBeUndefined();
  });

  test('is parsed from any bytes of a guest, and names one server in one line', () => {
    const odd = fc.string({
      unit: fc.constantFrom(...Array.from('GET http:/\\@a.b[]%\r\n\0 \t?#1HTP/')),
    });
    fc.assert(
      fc.property(fc.array(odd, { maxLength: 4 }), (parts) => {
        const request = readProxyRequest(`GET http://${parts.join('')} HTTP/1.1`);
        if (request?.kind !== 'request') return;
        const [line = '', host, ...rest] = request.head.toString('latin1').split('\r\n');
        expect(line).toMatch(/^GET \/\S* HTTP\/1\.1$/);
        const { port } = request.target;
        expect(host).toBe(`Host: ${request.target.host}${port === 80 ? '' : `:${port}`}`);
        expect(rest.at(-3)).toBe('Connection: close');
      }),
      { numRuns: 2000 },
    );
  });
});
