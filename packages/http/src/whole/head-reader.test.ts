import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Head, HeadReader } from './head-reader.ts';

const headOf = (headers: number): Buffer => {
  const lines = Array.from({ length: headers }, (_, index) => `${index}:\r\n`);
  return Buffer.from(`GET /v2 HTTP/1.1\r\n${lines.join('')}\r\n`);
};

describe('a head that is repeated', () => {
  it.each([
    ['is kept', 100, true],
    ['is read again when it is long', 1000, false],
  ])('%s', (_, headers, isKept) => {
    const reader = new HeadReader(new Socket());
    const bytes = headOf(headers);
    const [first, second] = [reader.read(bytes) as Head, reader.read(bytes) as Head];
    for (const { request, headLength } of [first, second]) {
      expect([request.url, Object.keys(request.headers).length]).toEqual(['/v2', headers]);
      expect(headLength).toBe(bytes.length);
    }
    expect(second.request === first.request).toBe(isKept);
  });

  it('cannot be changed by the service that answered it before', () => {
    const reader = new HeadReader(new Socket());
    const bytes = headOf(1);
    const { request } = reader.read(bytes) as Head;
    expect(() => Object.assign(request, { url: '/other' })).toThrow(TypeError);
    expect((reader.read(bytes) as Head).request.url).toBe('/v2');
  });
});
