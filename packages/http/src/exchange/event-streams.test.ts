/** A reader that stops reading loses its own stream, and costs neither memory nor other readers. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import {
  createEventStreams,
  type EventSource,
  eventStreamBudget,
  type EventStreams,
} from './event-streams.ts';

/** More than the buffers of both ends of a connection. */
const LARGE = JSON.stringify('x'.repeat(16 * 2 ** 20));
/** On a busy machine. */
const PATIENCE = { timeout: 30_000 };
const LIMITS = { bodyTimeoutMs: 60_000, heartbeatMs: 15_000 };

afterEach(() => void vi.useRealTimers());

interface Opened {
  readonly streams: EventStreams;
  readonly budget: ReturnType<typeof eventStreamBudget>;
  readonly reader: Socket;
  readonly response: () => ServerResponse;
  readonly warn: ReturnType<typeof vi.fn>;
}

/**
 * A stream whose reader has connected and does not read.
 * @param prepare gets the server's end of the connection.
 */
async function openFor(
  source: EventSource,
  prepare: (socket: Socket) => void = () => {},
): Promise<Opened> {
  const warn = vi.fn();
  const budget = eventStreamBudget(2);
  const streams = createEventStreams(budget, LIMITS, { debug() {}, warn, error: warn });
  let opened: ServerResponse | undefined;
  const server: Server = createServer((request, response) => {
    const exchange = { request, response, id: 'r1', headers: [], expectsContinue: false };
    prepare(response.socket!);
    streams.open(exchange, 'shop', () => () => undefined, source);
    opened = response;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    reader.destroy();
    server.close();
  });
  reader.pause();
  reader.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await vi.waitUntil(() => opened !== undefined, PATIENCE);
  return { streams, budget, reader, response: () => opened!, warn };
}

async function* last(): AsyncGenerator<{ type: string; data: string }> {
  yield { type: 'last', data: '1' };
}

it('sends no heartbeat after a last event that has not been read', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  // The buffers of both ends count as full: nothing that is written leaves the process.
  const stuck = { _write() {}, _writev() {} };
  const { reader, response } = await openFor(last, (socket) => void Object.assign(socket, stuck));
  await vi.waitUntil(() => response().writableEnded, PATIENCE);
  const failed = vi.fn();
  response().on('error', failed);
  expect(response().writableFinished).toBe(false);
  vi.advanceTimersByTime(LIMITS.heartbeatMs);
  reader.resetAndDestroy();
  await once(response(), 'close');
  expect(failed).not.toHaveBeenCalled();
});

it('asks the source for the next event when the reader has read', async () => {
  let asked = 0;
  const { reader, response, warn, budget } = await openFor(async function* () {
    for (;;) {
      asked++;
      yield { type: 'tick', data: LARGE };
    }
  });
  await vi.waitUntil(() => response().writableNeedDrain, PATIENCE);
  expect(asked).toBe(1);
  reader.resume();
  await vi.waitUntil(() => asked > 2, PATIENCE);
  reader.destroy();
  await expect.poll(() => budget.held).toBe(0);
  expect(warn).not.toHaveBeenCalled();
});

it('notifies the source when the reader has gone', async () => {
  const ended = Promise.withResolvers<void>();
  const { reader, budget } = await openFor(async function* (signal) {
    yield { type: 'first', data: '1' };
    await once(signal, 'abort');
    ended.resolve();
  });
  expect(budget.held).toBe(1);
  reader.destroy();
  await ended.promise;
  expect(budget.held).toBe(0);
});

it('closes what is open, and refuses what comes later', async () => {
  const { streams, response, budget } = await openFor(async function* (signal) {
    yield { type: 'first', data: '1' };
    await once(signal, 'abort');
  });
  streams.close();
  await expect.poll(() => budget.held).toBe(0);
  const again = { request: response().req, response: response(), id: 'r2', headers: [] };
  expect(() =>
    streams.open({ ...again, expectsContinue: false }, 'shop', () => () => undefined, last),
  ).toThrow(/shutting down/);
});

it('logs a source that fails, and ends the stream so that its reader connects again', async () => {
  const { reader, warn } = await openFor(async function* () {
    yield { type: 'first', data: '1' };
    throw new Error('The store is away.');
  });
  reader.resume();
  const text: string[] = [];
  reader.on('data', (chunk: Buffer) => text.push(chunk.toString()));
  await expect.poll(() => text.join('')).toContain('0\r\n\r\n');
  expect(text.join('')).toContain('event: first\ndata: 1\n\n');
  expect(warn).toHaveBeenCalledOnce();
});
