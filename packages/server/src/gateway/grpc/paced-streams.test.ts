import { constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { TurnTime } from '@skein/http';
import { expect, onTestFinished, test } from 'vitest';
import { rawCall, rawSession } from '../testing/raw-grpc.ts';
import { paceStreams } from './paced-streams.ts';

const PATIENT = { timeout: 30_000 };

/** A server on whose clock a turn has the time of three calls. */
async function serving(isKnown: (stream: ServerHttp2Stream) => boolean) {
  const served: string[] = [];
  /** Calls by the turn of the event loop in which they were served. */
  const turns = [0];
  let now = 0;
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    turns[turns.length - 1]!++;
    served.push(headers[':path']!);
    now += 4;
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  paceStreams(server, isKnown, new TurnTime({ now: () => now }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let timer: NodeJS.Immediate;
  const next = (): void => {
    turns.push(0);
    timer = setImmediate(next);
  };
  next();
  onTestFinished(() => {
    clearImmediate(timer);
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, served, most: () => Math.max(...turns) };
}

const paths = Array.from({ length: 90 }, (_, index) => `/${index}`);

test('calls of strangers wait for a turn that has time, in their order', async () => {
  const { port, served, most } = await serving(() => false);
  const session = rawSession(port);
  const calls = paths.map((path) => rawCall(session, path));
  for (const { stream } of calls) stream.resume().end();
  await Promise.all(calls.map(({ closed }) => closed));
  expect(served).toEqual(paths);
  // What a turn begins with may belong to the one before.
  expect(most()).toBeLessThanOrEqual(6);
});

test('the oldest of too many that wait are refused, as if they had not arrived', async () => {
  const { port, served } = await serving(() => false);
  const session = rawSession(port);
  const many = [1, 2, 3, 4].flatMap((part) => paths.map((path) => `/${part}${path}`));
  const calls = many.map((path) => rawCall(session, path));
  for (const { stream } of calls) stream.resume().end();
  const codes = await Promise.all(calls.map(({ closed }) => closed));
  const refused = many.filter((_, index) => codes[index] === constants.NGHTTP2_REFUSED_STREAM);
  expect(refused.length).toBeGreaterThan(0);
  expect(served).toEqual(many.filter((path) => !refused.includes(path)));
  expect(served).toContain(many.at(-1));
});

test('a call that is cancelled while it waits is not served', async () => {
  const { port, served } = await serving(() => false);
  const session = rawSession(port);
  const calls = paths.map((path) => rawCall(session, path));
  calls.at(-1)!.stream.close(constants.NGHTTP2_CANCEL);
  for (const { stream } of calls) stream.resume().end();
  await Promise.all(calls.map(({ closed }) => closed));
  await expect.poll(() => served.length, PATIENT).toBe(paths.length - 1);
});

test('calls on a connection that carried a key do not wait', async () => {
  const { port, served, most } = await serving(({ session }) => session?.socket !== undefined);
  const session = rawSession(port);
  const calls = paths.map((path) => rawCall(session, path));
  for (const { stream } of calls) stream.resume().end();
  await Promise.all(calls.map(({ closed }) => closed));
  expect(served).toEqual(paths);
  expect(most()).toBeGreaterThan(6);
});
