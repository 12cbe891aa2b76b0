import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResponseReader, type ResponseEnd } from './http-response.ts';

/** Pushes the bytes in pieces cut at the given places. */
function read(bytes: Buffer, cuts: readonly number[] = []): ResponseEnd[] {
  const ends: ResponseEnd[] = [];
  const reader = new ResponseReader((end) => ends.push(end));
  const places = [...new Set([0, ...cuts, bytes.length])].sort((a, b) => a - b);
  for (let index = 1; index < places.length; index++) {
    reader.push(bytes.subarray(places[index - 1], places[index]));
  }
  return ends;
}

const plain =
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a":10}';
const refused =
  'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 21\r\nconnection: close\r\n\r\n{"code":"QUEUE_FULL"}';
const chunked =
  'HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: 1\r\n\r\n';
const empty = 'HTTP/1.1 204 No Content\r\n\r\n';
const interim = 'HTTP/1.1 100 Continue\r\n\r\n';

describe('ResponseReader', () => {
  it('finds the same responses wherever the stream is cut', () => {
    const stream = Buffer.from(plain + interim + chunked + empty + refused);
    const expected = [
      { status: 200, body: '', closes: false },
      { status: 400, body: 'hello!', closes: false },
      { status: 204, body: '', closes: false },
      { status: 503, body: '{"code":"QUEUE_FULL"}', closes: true },
    ];
    const shown = (ends: ResponseEnd[]) =>
      ends.map(({ status, body, closes }) => ({ status, body: body.toString(), closes }));
    expect(shown(read(stream))).toEqual(expected);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
        expect(shown(read(stream, cuts))).toEqual(expected);
      }),
    );
  });

  it.each([
    ['HTTP/1.0 200 OK\r\nContent-Length: 0', true],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive', false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0', false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection:\tTE, Close', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: closed-loop', false],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 10', false],
  ])('reads whether the connection stays open after %j', (head, closes) => {
    expect(read(Buffer.from(`${head}\r\n\r\n`))).toMatchObject([{ closes }]);
  });

  it('reads chunks behind another coding', () => {
    const head = 'HTTP/1.1 500 O\r\nTransfer-Encoding: gzip, Chunked \r\n\r\n';
    expect(read(Buffer.from(`${head}2\r\nab\r\n0\r\n\r\n`))).toMatchObject([
      { status: 500, body: Buffer.from('ab'), closes: false },
    ]);
  });

  it('takes a body without a length until the connection ends', () => {
    const ends: ResponseEnd[] = [];
    const reader = new ResponseReader((end) => ends.push(end));
    reader.push(Buffer.from('HTTP/1.0 500 Oops\r\n\r\nit bro'));
    reader.push(Buffer.from('ke'));
    expect(ends).toEqual([]);
    expect(reader.ended()).toBe(true);
    expect(ends[0]?.body.toString()).toBe('it broke');
    expect(ends[0]?.closes).toBe(true);
  });

  it('does not take the end of a connection for an answer', () => {
    const reader = new ResponseReader(() => expect.unreachable());
    reader.push(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
    expect(reader.ended()).toBe(false);
  });

  it('keeps only the beginning of an error body', () => {
    const body = 'x'.repeat(100_000);
    const [end] = read(
      Buffer.from(`HTTP/1.1 500 O\r\nContent-Length: 100000\r\n\r\n${body}`),
      [5000, 50_000],
    );
    expect(end?.body.length).toBe(4096);
  });

  it('throws when the bytes are not HTTP/1.1', () => {
    expect(() => read(Buffer.from('SSH-2.0-x\r\n\r\n'))).toThrow(/not HTTP/);
    expect(() => read(Buffer.alloc(70_000, 'a'))).toThrow(/no end/);
  });
});
