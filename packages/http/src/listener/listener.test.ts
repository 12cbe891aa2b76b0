import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../limits.ts';
import { createHttpListener, type UpgradeHandler } from './listener.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';

async function listening(accept: UpgradeHandler['accept']) {
  const warn = vi.fn();
  const logger = { debug() {}, warn, error() {} };
  const upgrade = { asks: () => true, accept };
  const listener = createHttpListener(() => {}, DEFAULT_LIMITS, logger, undefined, { upgrade });
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => listener.drain(performance.now()));
  const ask = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(REQUEST);
    return socket;
  };
  return { ask, warn };
}

it('reports that a number is no port, and not that it is in use', async () => {
  const listener = createHttpListener(() => {}, DEFAULT_LIMITS, {
    debug() {},
    warn() {},
    error() {},
  });
  for (const port of [70_000, -1, 1.5, Number.NaN]) {
    await expect(listener.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: `The port ${port} is not a whole number from 0 to 65,535.`,
    });
  }
});

it('closes a connection that could not be taken over, and continues', async () => {
  const { ask, warn } = await listening(async () => {
    throw new Error('the disk is full');
  });
  for (const _ of [1, 2]) {
    const socket = await ask();
    await new Promise((resolve) => socket.resume().once('close', resolve));
  }
  expect(warn).toHaveBeenCalledTimes(2);
});

it('survives a client that resets a connection before it is taken over', async () => {
  const asked = Promise.withResolvers<Socket>();
  const { ask } = await listening(async (_, socket) => {
    asked.resolve(socket);
    await new Promise((resolve) => socket.once('close', resolve));
    return false;
  });
  const client = await ask();
  const socket = await asked.promise;
  // An error that no listener takes would end the process.
  expect(socket.listenerCount('error')).toBeGreaterThan(0);
  client.resetAndDestroy();
  await expect.poll(() => socket.destroyed, { timeout: 30_000 }).toBe(true);
});

it('gives the bytes that follow to what takes a connection over', async () => {
  const parts: Buffer[] = [];
  const { ask } = await listening(async (_, socket, head) => {
    parts.push(head);
    socket.on('data', (part) => parts.push(part)).on('end', () => socket.destroy());
    return true;
  });
  const client = await ask();
  onTestFinished(() => void client.destroy());
  const sent = Buffer.alloc(100_000, 'bytes of another protocol\r\n\r\n');
  client.write(sent);
  await expect.poll(() => Buffer.concat(parts).length, { timeout: 30_000 }).toBe(sent.length);
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
});
