/** Requests of a tenant that never end, over real sockets, next to other tenants' requests. */
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { issueToken } from '@skein/http';
import { startLanguageNode } from '../../language/testing/language-node.ts';

const CONNECTIONS = 32;

/** A node whose upstream streams until its reader leaves, and two tenants. */
async function startShared() {
  const admin = issueToken().token;
  const started = await startLanguageNode(admin, { maxConnections: CONNECTIONS });
  onTestFinished(() => started.close());
  const { client, node } = started;
  const keyOf = async (tenant: string) =>
    (await client.createKey({ label: tenant, tenant, scopes: ['infer'] })).secret;
  return {
    client,
    url: new URL(node.url),
    admin,
    greedy: await keyOf('greedy'),
    modest: await keyOf('modest'),
  };
}

const BODY = JSON.stringify({
  model: 'assistant',
  stream: true,
  messages: [{ role: 'user', content: 'forever' }],
});
const chatOf = (key: string): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

/** @returns the status of the first answer. */
async function send(
  { port, hostname }: URL,
  request: string,
): Promise<{ socket: Socket; status: string }> {
  const socket = connect({ port: Number(port), host: hostname });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(request);
  const [, status = ''] = await new Promise<string[]>((resolve) => {
    socket.once('data', (data: Buffer) => resolve(String(data).split(' ')));
    socket.once('close', () => resolve([]));
  });
  return { socket, status };
}

test('leave capacity for other tenants, for probes, and for the operator that revokes the key', async () => {
  const { client, url, admin, greedy, modest } = await startShared();
  const taken = await Promise.all(
    Array.from({ length: 2 * CONNECTIONS }, () => send(url, chatOf(greedy))),
  );
  const streams = taken.filter(({ status }) => status === '200');
  expect(streams).toHaveLength(CONNECTIONS / 2);
  expect((await send(url, chatOf(modest))).status).toBe('200');
  expect((await fetch(new URL('/v2/health/live', url))).status).toBe(200);
  const refused = await fetch(new URL('/v1/models', url), {
    headers: { authorization: `Bearer ${greedy}` },
  });
  expect([refused.status, await refused.json()]).toMatchObject([
    429,
    { error: { skein_code: 'QUOTA_EXCEEDED' } },
  ]);
  // The share of the operator's own tenant is taken too.
  await Promise.all(Array.from({ length: CONNECTIONS / 4 }, () => send(url, chatOf(admin))));
  const { keys } = await client.listKeys();
  const { id } = keys.find(({ tenant }) => tenant === 'greedy')!;
  const holds = async () =>
    (await client.getKey({ id })).usage.find(({ name }) => name === 'http_requests');
  expect(await holds()).toMatchObject({ held: CONNECTIONS / 2 });
  await client.revokeKey({ id });
  await expect.poll(holds).toMatchObject({ held: 0 });
});

test('count those that wait behind another one of their connection, and end with it', async () => {
  const { client, url, greedy } = await startShared();
  const warned = vi.spyOn(process, 'emitWarning');
  onTestFinished(() => warned.mockRestore());
  const { socket } = await send(url, chatOf(greedy).repeat(12));
  const [key] = (await client.listKeys()).keys.filter(({ tenant }) => tenant === 'greedy');
  const holds = async () =>
    (await client.getKey({ id: key!.id })).usage.find(({ name }) => name === 'http_requests');
  await expect.poll(holds).toMatchObject({ held: 12 });
  // Too many listeners of one socket.
  expect(warned).not.toHaveBeenCalled();
  socket.destroy();
  await expect.poll(holds).toMatchObject({ held: 0 });
});
