/** Bounds on the use of a node through connections alone, on real sockets. */
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { BODY, HEAD, held, raw, startSocketFace } from '../testing/http-sockets.ts';

/** Connections that read what they get and never close their own side. */
async function openMany(port: number, count: number, first: string): Promise<Socket[]> {
  const sockets = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      socket.on('error', () => {});
      socket.resume();
      onTestFinished(() => void socket.destroy());
      await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
      socket.write(first);
      return socket;
    }),
  );
  return sockets;
}

const openOf = (sockets: readonly Socket[]): number =>
  sockets.filter((socket) => !socket.destroyed && socket.readyState !== 'closed').length;

/** A socket that keeps its own side open notices the end of the other only by writing to it. */
async function reset(socket: Socket): Promise<void> {
  if (socket.closed) return;
  const timer = setInterval(() => socket.write('x'), 20);
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  clearInterval(timer);
}

const SLOW = 'GET /v2 HTTP/1.1\r\nHost: localhost\r\nX-';

test('connections with late headers are closed for good, whatever the client does', async () => {
  const { port } = await startSocketFace({ headersTimeoutMs: 200 });
  const sockets = await openMany(port, 50, SLOW);
  await Promise.all(sockets.map(reset));
  expect(openOf(sockets)).toBe(0);
});

test('a connection that does not speak HTTP is closed for good, too', async () => {
  const { port } = await startSocketFace();
  const [socket] = await openMany(port, 1, 'not http\r\n\r\n');
  await reset(socket!);
  expect(socket!.closed).toBe(true);
});

test('incomplete headers do not delay a drain', async () => {
  const { port, gateway } = await startSocketFace({ drainTimeoutMs: 60_000 });
  const sockets = await openMany(port, 20, SLOW);
  const begun = performance.now();
  await gateway.drain();
  expect(performance.now() - begun).toBeLessThan(30_000);
  await Promise.all(sockets.map(reset));
});

test('a client that does not read an error does not delay a drain', async () => {
  const { port, gateway } = await startSocketFace({ drainTimeoutMs: 60_000 });
  const client = raw(port);
  client.socket.write(
    `POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n`,
  );
  await client.until(/ROUTE_UNKNOWN/);
  const begun = performance.now();
  await gateway.drain();
  expect(performance.now() - begun).toBeLessThan(30_000);
});

test('at the bound, idle connections are closed', async () => {
  const { port } = await startSocketFace({ maxConnections: 20 });
  const idle = raw(port);
  idle.socket.write('GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await idle.until(/"live":true/);
  const slow = Array.from({ length: 40 }, () => raw(port));
  for (const { socket } of slow) socket.write(SLOW);
  // Connections that never sent a whole request are closed first; the one that did still works.
  await Promise.all(slow.slice(0, 15).map(({ closed }) => closed));
  idle.socket.write('GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await idle.until(/"ready":true/);
  const client = raw(port);
  client.socket.write('GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(await client.until(/"live":true/)).toMatch(/^HTTP\/1\.1 200 /);
});

test('at the bound, idle connections of one client do not close the new one of another', async () => {
  const { port } = await startSocketFace({ maxConnections: 20 });
  const idle = async (): Promise<void> => {
    const client = raw(port);
    client.socket.write('GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until(/"live":true/);
  };
  for (let count = 0; count < 19; count += 1) await idle();
  const fresh = raw(port);
  fresh.socket.write(SLOW);
  for (let count = 0; count < 10; count += 1) await idle();
  fresh.socket.write('A: b\r\n\r\n');
  expect(await fresh.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 200 /);
});

test('when every connection has a request in flight, a new one is refused with a code', async () => {
  const { port, inference } = await startSocketFace({ maxConnections: 2 });
  const { release } = held(inference);
  const busy = [raw(port), raw(port)];
  for (const { socket } of busy) socket.write(`${HEAD}\r\n${BODY}`);
  await expect.poll(() => inference.requests.length).toBe(2);
  const late = raw(port);
  expect(await late.closed).toMatch(/^HTTP\/1\.1 503 [\s\S]*CONNECTIONS_EXHAUSTED/);
  release();
  for (const client of busy) await client.until(/"data":\[1\]/);
});

test('the number of pipelined requests on one connection is bounded', async () => {
  const { port, inference } = await startSocketFace();
  const { arrived, release } = held(inference);
  const few = raw(port);
  few.socket.write(`${HEAD}\r\n${BODY}`.repeat(10));
  await arrived;
  release();
  await expect.poll(() => few.received().match(/"data":\[1\]/g)?.length).toBe(10);

  const { release: releaseAll } = held(inference);
  const before = inference.requests.length;
  const many = raw(port);
  many.socket.write(`${HEAD}\r\n${BODY}`.repeat(300));
  await many.closed;
  // A request above the bound is not even parsed.
  expect(inference.requests.length - before).toBeLessThan(50);
  releaseAll();
});

test('a closed connection releases its part of the total of pipelined requests', async () => {
  const { port, inference } = await startSocketFace();
  const { release } = held(inference);
  // Together far above the total.
  for (let round = 0; round < 100; round++) {
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n${BODY}`.repeat(30));
    await expect.poll(() => inference.requests.length).toBeGreaterThan(round);
    client.socket.destroy();
  }
  release();
  const client = raw(port);
  client.socket.write(`${HEAD}\r\n${BODY}`.repeat(5));
  await expect.poll(() => client.received().match(/"data":\[1\]/g)?.length).toBe(5);
});
