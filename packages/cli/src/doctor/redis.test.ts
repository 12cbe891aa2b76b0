import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import type { Finding } from './check.ts';
import { checkRedis } from './redis.ts';

const check = (env: Readonly<Record<string, string>>): Promise<Finding> =>
  checkRedis({ dataFolder: '.skein', httpPort: 4700, grpcPort: 4701, env });

/** Something that listens and answers every first line with `answer`; its port. */
async function listening(answer: string, host = '127.0.0.1'): Promise<number> {
  const server = createServer((socket) => socket.once('data', () => socket.end(answer)));
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

it.each(['garbage', 'http://127.0.0.1:6379', 'redis://:secret@[::1'])(
  'REDIS_URL=%s is a finding, and no end of the command',
  async (url) => {
    const finding = await check({ REDIS_URL: url });
    expect(finding).toMatchObject({
      status: 'broken',
      needed: false,
      fix: 'export REDIS_URL=redis://127.0.0.1:6379',
    });
    expect(finding.detail).toContain('REDIS_URL is not an address of Redis');
    expect(finding.detail).not.toContain('secret');
  },
);

it('takes the Redis that the other commands take', async () => {
  const port = await listening('+PONG\r\n');
  const found = await check({ SKEIN_REDIS: `redis://127.0.0.1:${port}`, REDIS_URL: 'garbage' });
  expect(found).toMatchObject({ status: 'ok', detail: `answers at 127.0.0.1:${port}` });
  const locked = await listening('-NOAUTH Authentication required.\r\n');
  expect(await check({ REDIS_URL: `redis://127.0.0.1:${locked}` })).toMatchObject({
    status: 'ok',
    detail: `at 127.0.0.1:${locked}, with a password`,
  });
});

it('takes an IPv6 address', async () => {
  const port = await listening('+PONG\r\n', '::1');
  expect((await check({ SKEIN_REDIS: `redis://[::1]:${port}` })).status).toBe('ok');
});

it('reports where nothing answers, or something else does, without the password', async () => {
  const url = 'redis://ann:secret@127.0.0.1:9';
  const silent = await check({ SKEIN_REDIS: url });
  expect(silent).toMatchObject({
    status: 'broken',
    detail: 'SKEIN_REDIS names 127.0.0.1:9, but nothing answers there',
    fix: 'redis-cli -u redis://127.0.0.1:9 ping, which must answer PONG',
  });
  const port = await listening('HTTP/1.1 400 Bad Request\r\n\r\n');
  const other = await check({ SKEIN_REDIS: `redis://127.0.0.1:${port}` });
  expect(other.detail).toContain('is not Redis');
});
