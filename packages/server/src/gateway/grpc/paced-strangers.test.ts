import { constants, createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { rawCall, rawSession } from '../testing/raw-grpc.ts';
import { PacedStrangers, refuseStream } from './paced-strangers.ts';

const PATIENT = { timeout: 30_000 };

/** A server on whose clock a turn has the time of three calls, or of three connections. */
async function serving(
  isKnown: (stream: ServerHttp2Stream) => boolean,
  { countsReads = false, pacesConnections = false } = {},
) {
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
  const strangers = new PacedStrangers(() => now);
  const strangerOf = (stream: ServerHttp2Stream) =>
    isKnown(stream) ? undefined : stream.session!.socket;
  strangers.pace<ServerHttp2Stream>(server, 'stream', strangerOf, refuseStream);
  if (countsReads) server.prependListener('connection', (socket) => strangers.add(socket));
  if (pacesConnections) {
    server.on('connection', () => {
      turns[turns.length - 1]!++;
      served.push('connection');
      now += 4;
    });
    const itself = (socket: Socket): Socket => socket;
    strangers.pace<Socket>(server, 'connection', itself, (socket) => void socket.destroy());
  }
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
  const { port } = server.address() as AddressInfo;
  return { server, port, served, most: () => Math.max(...turns) };
}

const paths = Array.from({ length: 90 }, (_, index) => `/${index}`);

test('calls of strangers wait for a turn that has time, in their order', async () => {
  const { port, served, most } = await serving(() => false);
  const session = rawSession(port);
  const calls = paths.map((path) => rawCall(session, path));
  for (const { stream } of calls) stream.resume().end();
  await Promise.all(calls.map(({ closed }) => closed));
  expect(served).toEqual(paths);
  // The first calls of a turn may belong to the one before.
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

test('connections of strangers are not read while calls wait, and none is refused', async () => {
  const { port, served, most } = await serving(() => false, { countsReads: true });
  const sessions = Array.from({ length: 12 }, () => rawSession(port));
  const calls = sessions.flatMap((session) => paths.map((path) => rawCall(session, path)));
  for (const { stream } of calls) stream.resume().end();
  await Promise.all(calls.map(({ closed }) => closed));
  expect(served).toHaveLength(sessions.length * paths.length);
  expect(most()).toBeLessThanOrEqual(6);
});

test('connections that another server hands over in one turn wait for one that has time', async () => {
  const { server, served, most } = await serving(() => false, { pacesConnections: true });
  const accepted: Socket[] = [];
  const other = createTcpServer((socket) => accepted.push(socket));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const sockets = paths.map(() => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const socket of [...sockets, ...accepted]) socket.destroy();
    other.close();
  });
  await expect.poll(() => accepted.length, PATIENT).toBe(paths.length);
  for (const socket of accepted) server.emit('connection', socket);
  await expect.poll(() => served.length, PATIENT).toBe(paths.length);
  expect(most()).toBeLessThanOrEqual(6);
});
