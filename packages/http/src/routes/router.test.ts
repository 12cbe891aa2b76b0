import { ENDPOINTS, fillPath, parametersOf, type Endpoint } from '@skein/api';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRouter } from './router.ts';

const rows = Object.entries<Endpoint>(ENDPOINTS);
const route = createRouter(ENDPOINTS);

/** Any string that a URL can carry as one segment. */
const segment = fc
  .string({ minLength: 1, unit: 'grapheme' })
  .filter((text) => text !== '.' && text !== '..');

describe('route', () => {
  it('finds every endpoint by its path, whatever the parameters', () => {
    const property = fc.property(
      fc.constantFrom(...rows),
      fc.array(segment, { minLength: 2, maxLength: 2 }),
      ([id, endpoint], values) => {
        const params = Object.fromEntries(
          parametersOf(endpoint.path).map((name, index) => [name, values[index] ?? 'x']),
        );
        // The target as received: after a URL parser, which resolves dots and encodes the rest.
        const { pathname } = new URL(fillPath(endpoint.path, params), 'http://node');
        const found = route(endpoint.method, pathname);
        expect(found).toEqual({ kind: 'endpoint', id, endpoint, params });
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it('never matches names that a URL parser resolves away', () => {
    for (const name of ['.', '..', '', '\uD800']) {
      expect(() => fillPath('/api/v1/deployments/{name}', { name })).toThrow(/"name" must not be/);
    }
  });

  it('never throws, and matches nothing outside of the table', () => {
    const property = fc.property(fc.string({ maxLength: 60 }), fc.webPath(), (text, path) => {
      for (const candidate of [text, path, `/api/v1/${text}`, `/api/v1${path}`]) {
        const found = route('GET', candidate);
        if (found.kind !== 'endpoint') continue;
        const pattern = found.endpoint.path.replaceAll(/\{\w+\}/g, '[^/]+');
        expect(candidate).toMatch(new RegExp(`^${pattern}$`));
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('gives the last parameter the rest of the path where it ends with a plus', () => {
    const file: Endpoint = {
      method: 'GET',
      path: '/files/{folder}/{path+}',
      summary: 'A file.',
      scope: 'public',
    };
    const find = createRouter({ file });
    expect(find('GET', '/files/a/b%20c/d.png')).toMatchObject({
      id: 'file',
      params: { folder: 'a', path: 'b c/d.png' },
    });
    expect(find('GET', '/files/a/..%2Fb')).toMatchObject({ params: { path: '../b' } });
    const params = { folder: 'a/b', path: 'b c/ä?#/%2F/d.png' };
    const filled = fillPath(file.path, params);
    expect(filled).toBe('/files/a%2Fb/b%20c/%C3%A4%3F%23/%252F/d.png');
    expect(find('GET', new URL(filled, 'http://node').pathname)).toMatchObject({ params });
    for (const rest of ['../b', 'b/..', 'b/./c', '..', '']) {
      expect(() => fillPath(file.path, { folder: 'a', path: rest })).toThrow(/"path" must not be/);
    }
    for (const path of ['/files/a', '/files/a/', '/files//b', '/files/a/%zz']) {
      expect(find('GET', path)).toEqual({ kind: 'unknown' });
    }
  });

  it('distinguishes a wrong method from an unknown path', () => {
    expect(route('PUT', '/api/v1/deployments')).toEqual({
      kind: 'method',
      allowed: ['GET', 'HEAD', 'POST'],
    });
    expect(route('GET', '/api/v1/deployments/')).toEqual({ kind: 'unknown' });
    expect(route('GET', '/api/v1/deployments/%zz')).toEqual({ kind: 'unknown' });
    expect(route('HEAD', '/api/v1/node')).toMatchObject({ kind: 'endpoint', id: 'getNode' });
  });
});
