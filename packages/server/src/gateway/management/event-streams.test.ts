/** The end of event streams of both kinds, and their number per tenant, over real HTTP. */
import { request, type IncomingMessage } from 'node:http';
import { createClient, type Client } from '@skein/api';
import { eventStreamBudget } from '@skein/http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Scope } from '../../access/contract.ts';
import { onnxFile, startManagement, type TestNode } from './testing/start-management.ts';

const eventStreams = eventStreamBudget(6, () => 1 / 2);
const PATHS = ['/api/v1/events', '/api/v1/job-events'] as const;

let node: TestNode;
beforeEach(async () => {
  node = await startManagement({ access: 'keys', eventStreams });
});
afterEach(() => node.close());

async function keyOf(tenant: string, more: { expiresAt?: string } = {}) {
  const scopes: Scope[] = ['read', 'jobs'];
  return node.keys.create({ label: tenant, tenant, scopes, ...more });
}

const open = (path: string, secret: string): Promise<Response> =>
  fetch(node.url + path, { headers: { authorization: `Bearer ${secret}` } });

it.each(PATHS)('%s ends when its key is revoked, and gives the reason', async (path) => {
  const { key, secret } = await keyOf('shop');
  const { secret: other } = await keyOf('shop');
  const [stream, stays] = await Promise.all([open(path, secret), open(path, other)]);
  expect(eventStreams.held).toBe(2);
  await node.keys.revoke(key.id);
  const text = await stream.text();
  expect(text).toMatch(/event: error\ndata: \{"error":"[^\n]*revoked[^\n]*"code":"KEY_INVALID"/);
  expect(eventStreams.held).toBe(1);
  await stays.body?.cancel();
  await expect.poll(() => eventStreams.held).toBe(0);
});

it.each(PATHS)('%s ends when its key expires', async (path) => {
  const { secret } = await keyOf('shop', {
    expiresAt: new Date(Date.now() + 1000).toISOString(),
  });
  expect(await (await open(path, secret)).text()).toContain('KEY_INVALID');
});

it('a client gets the error and does not reconnect', async () => {
  const { key, secret } = await keyOf('shop');
  const client: Client = createClient({ url: node.url, key: secret });
  const next = expect(client.events().next()).rejects.toMatchObject({ code: 'KEY_INVALID' });
  await expect.poll(() => eventStreams.held).toBe(1);
  await node.keys.revoke(key.id);
  await next;
});

it('a tenant has its share of both kinds together, and the others theirs', async () => {
  const { secret: greedy } = await keyOf('greedy');
  const { secret: modest } = await keyOf('modest');
  const streams = [];
  for (const path of [PATHS[0], PATHS[1], PATHS[0]]) streams.push(await open(path, greedy));
  const refused = await open(PATHS[1], greedy);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('5');
  expect(await refused.text()).toContain('QUOTA_EXCEEDED');
  const fine = await open(PATHS[1], modest);
  expect(fine.status).toBe(200);
  for (const { body } of [...streams, fine]) await body?.cancel();
  await expect.poll(() => eventStreams.held).toBe(0);
});

it('a client that disconnects at once leaves no stream', async () => {
  const { secret } = await keyOf('shop');
  for (let round = 0; round < 20; round++) {
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${secret}` };
    const asked = fetch(node.url + PATHS[round % 2], { headers, signal: abort.signal });
    await Promise.race([asked, new Promise((resolve) => setImmediate(resolve))]);
    abort.abort();
    await asked.catch(() => {});
  }
  await expect.poll(() => eventStreams.held).toBe(0);
});

it('a reader that reads nothing is closed with the others', async () => {
  const { key, secret } = await keyOf('shop');
  const headers = { authorization: `Bearer ${secret}` };
  const slow = await new Promise<IncomingMessage>((resolve) => {
    request(node.url + PATHS[0], { headers }, resolve).end();
  });
  slow.on('error', () => {});
  // Until the buffers between the two are full.
  await node.registry.importModel('risk', onnx(), {});
  await node.control.deploy({ name: 'risk', version: '1' }, 'test');
  const big = 'x'.repeat(2 ** 22);
  for (let index = 0; index < 8; index++) {
    node.control.alter('risk', (view) => ({ ...view, reason: `${index} ${big}` }));
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  await node.keys.revoke(key.id);
  await expect.poll(() => eventStreams.held).toBe(0);
  slow.destroy();
});

async function* onnx(): AsyncGenerator<Uint8Array> {
  yield onnxFile(1);
}
