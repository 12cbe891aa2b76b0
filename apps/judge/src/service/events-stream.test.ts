/** A reader that stops reading loses its own stream and does not affect other readers. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { SubmissionView } from './api.ts';
import { createEventStreams, HEARTBEAT_MS } from './events-stream.ts';

/** More than the buffers of both ends of a connection. */
const LARGE = 'x'.repeat(32 * 2 ** 20);
const JUDGED = { state: 'judged', compileOutput: LARGE } as unknown as SubmissionView;

let server: Server;
let reader: Socket;
let response: ServerResponse | undefined;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const streams = createEventStreams({
    submission: () => Promise.resolve(JUDGED),
    listen: () => () => undefined,
  });
  server = createServer((_request, answer) => {
    response = answer;
    void streams.open(1, { name: 'alice', admin: false }, answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  reader.pause();
  reader.write('GET / HTTP/1.1\r\nHost: judge\r\n\r\n');
  await vi.waitUntil(() => response?.writableEnded);
});

afterEach(() => {
  vi.useRealTimers();
  reader.destroy();
  server.close();
});

it('sends no heartbeat after a verdict that has not been read', async () => {
  const failed = vi.fn();
  response?.on('error', failed);
  expect(response?.writableFinished).toBe(false);
  vi.advanceTimersByTime(HEARTBEAT_MS);
  reader.destroy();
  await once(response!, 'close');
  expect(failed).not.toHaveBeenCalled();
});
