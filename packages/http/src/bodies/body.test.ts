/** Memory that a body takes while it arrives. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import v8 from 'node:v8';
import vm from 'node:vm';
import { expect, test } from 'vitest';
import { bodyBudget } from './body-budget.ts';
import { readBody } from './body.ts';
import { DEFAULT_LIMITS } from '../limits.ts';

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

function arriving(headers: Record<string, string>) {
  const request = Object.assign(new EventEmitter(), { headers, pause() {}, resume() {} });
  const exchange = {
    request: request as unknown as IncomingMessage,
    response: {} as ServerResponse,
    id: '1',
    headers: [],
    expectsContinue: false,
  };
  const hold = bodyBudget(2 ** 30).hold('a');
  return { request, body: readBody(exchange, DEFAULT_LIMITS, hold) };
}

test.each([
  ['of known length', { 'content-length': '200000' }],
  ['that ends far below its length', { 'content-length': '60000000' }],
])('a body %s takes no more memory for coming byte by byte', async (_, headers) => {
  const { request, body } = arriving(headers);
  body.catch(() => {});
  collect();
  const before = process.memoryUsage();
  const bytes = 200_000;
  for (let at = 0; at < bytes; at++) request.emit('data', Buffer.alloc(1, at));
  collect();
  const after = process.memoryUsage();
  // A Buffer for each byte would be forty megabytes.
  expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(8e6);
  request.emit('end');
  const whole = await body;
  expect(whole.length).toBe(bytes);
  expect(whole.every((byte, at) => byte === (at & 255))).toBe(true);
});

test.each([1, 7, 4096, 65_536, 1_000_003])('pieces of %i bytes are put together', async (size) => {
  for (const announced of [true, false]) {
    const sent = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => at * 31));
    const whole = size < 32 ? sent.subarray(0, 4000 * size) : sent;
    const { request, body } = arriving(
      announced ? { 'content-length': String(whole.length) } : { 'transfer-encoding': 'chunked' },
    );
    for (let at = 0; at < whole.length; at += size) {
      request.emit('data', whole.subarray(at, at + size));
    }
    request.emit('end');
    expect((await body).equals(whole)).toBe(true);
  }
});

test('a body in one-byte chunks is rejected, a body in line-sized chunks is not', async () => {
  const chunked = { 'transfer-encoding': 'chunked' };
  const fine = arriving(chunked);
  for (let at = 0; at < 5000; at++) fine.request.emit('data', Buffer.alloc(1, at));
  await expect(fine.body).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: expect.stringContaining('chunks of 1 bytes on average'),
  });
  const lines = arriving(chunked);
  for (let at = 0; at < 5000; at++) lines.request.emit('data', Buffer.alloc(80, at));
  lines.request.emit('end');
  expect((await lines.body).length).toBe(400_000);
});

test('a large body in one piece has memory of its own: the next request may lie behind it', async () => {
  const read = Buffer.alloc(300_000, 7);
  const { request, body } = arriving({ 'content-length': '200000' });
  request.emit('data', read.subarray(0, 200_000));
  request.emit('end');
  const whole = await body;
  expect(whole.equals(read.subarray(0, 200_000))).toBe(true);
  expect(whole.buffer).not.toBe(read.buffer);
});
