/** Callers without a key cost little over gRPC, whatever they send. */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { bodyBudget } from '@skein/http';
import { fakeAccess } from '../../testing/fake-inference.ts';
import { call } from '../../testing/grpc-client.ts';
import { GRPCInferenceService } from '../oip/grpc/proto/inference.gen.ts';
import { grpcBudgets } from './limits.ts';
import { startGrpcFace } from '../testing/grpc-face.ts';
import { framed, rawCall, rawSession, repeated } from '../testing/raw-grpc.ts';

const SERVICE = '/inference.GRPCInferenceService';
const WATCH = '/grpc.health.v1.Health/Watch';
const gzip = { 'grpc-encoding': 'gzip' };
const keys = { i: ['infer'], r: ['read'], a: ['admin'] } as const;
/** 63 MiB of unknown fields. */
const bomb = framed(gzipSync(repeated([0xa0, 0x06, 0x01], 21 * 2 ** 20)), true);

describe('a call without the key that it needs', () => {
  test.each([
    ['ModelInfer'],
    ['ModelStreamInfer'],
    ['ModelMetadata'],
    ['ModelConfig'],
    ['ModelStatistics'],
    ['RepositoryIndex'],
    ['RepositoryModelLoad'],
    ['RepositoryModelUnload'],
  ])('of %s is answered from its headers, and its data are not taken', async (method) => {
    const bodies = bodyBudget(2 ** 30);
    const take = vi.spyOn(bodies, 'take');
    const { port } = await startGrpcFace({ bodies, access: fakeAccess(keys) });
    const { stream, status, closed } = rawCall(rawSession(port), `${SERVICE}/${method}`, gzip);
    stream.resume();
    // It never ends its request.
    stream.write(bomb);
    expect(await status).toMatchObject({ 'grpc-status': '16', 'skein-code': 'KEY_MISSING' });
    expect(await closed).toBe(constants.NGHTTP2_NO_ERROR);
    expect(take).not.toHaveBeenCalled();
  });

  test.each([
    ['an unknown method', `${SERVICE}/ModelTrain`, {}, '12'],
    ['another content type', `${SERVICE}/ServerLive`, { 'content-type': 'text/plain' }, undefined],
  ])('and one with %s ends without its data', async (_, path, headers, expected) => {
    const { port } = await startGrpcFace();
    const { stream, status, closed } = rawCall(rawSession(port), path, headers);
    stream.resume();
    stream.write(Buffer.alloc(1000));
    expect(await closed).toBe(constants.NGHTTP2_NO_ERROR);
    if (expected !== undefined) expect(await status).toMatchObject({ 'grpc-status': expected });
  });
});

describe('many calls without a key', () => {
  test.each([
    ['to a method that needs one', 'ModelInfer', 'none', true],
    ['to a method that needs none', 'ServerLive', 'none', true],
    ['count, and those with one do not', 'RepositoryIndex', 'r', false],
  ])('%s', async (_, method, key, heavy) => {
    const changes: boolean[] = [];
    const { port } = await startGrpcFace({
      access: fakeAccess(keys),
      onKeylessLoad: (now) => changes.push(now),
    });
    const session = rawSession(port);
    const authorization: Record<string, string> =
      key === 'none' ? {} : { authorization: `Bearer ${key}` };
    const statuses = Array.from({ length: 30 }, () => {
      const { stream, status } = rawCall(session, `${SERVICE}/${method}`, authorization);
      stream.resume();
      stream.end(framed(Buffer.alloc(0)));
      return status;
    });
    await Promise.all(statuses);
    if (heavy) await expect.poll(() => changes).toEqual([true, false]);
    else expect(changes).toEqual([]);
  });
});

describe('a method that needs no key', () => {
  test.each([
    ['a bomb', bomb, gzip, 'BODY_TOO_LARGE'],
    ['a large message', framed(Buffer.alloc(65_537)), {}, 'BODY_TOO_LARGE'],
    ['what is no message', framed(Buffer.from([0xff])), {}, 'REQUEST_INVALID'],
    ['what is not compressed', framed(Buffer.alloc(9), true), gzip, 'REQUEST_INVALID'],
    ['no encoding', framed(Buffer.alloc(9), true), {}, 'ENCODING_UNSUPPORTED'],
  ])('refuses %s', async (_, body, headers, code) => {
    const { port, client } = await startGrpcFace();
    const { stream, status } = rawCall(rawSession(port), `${SERVICE}/ServerLive`, headers);
    stream.resume();
    stream.end(body);
    expect(await status).toMatchObject({ 'skein-code': code });
    expect((await call(client, GRPCInferenceService.method.serverLive, {})).live).toBe(true);
  });

  test('refuses an unknown encoding, and names the supported ones', async () => {
    const { port } = await startGrpcFace();
    const zstd = { 'grpc-encoding': 'zstd' };
    const { stream, status } = rawCall(rawSession(port), `${SERVICE}/ServerLive`, zstd);
    stream.resume();
    stream.end(framed(Buffer.alloc(9), true));
    expect(await status).toMatchObject({
      'grpc-status': '12',
      'skein-code': 'ENCODING_UNSUPPORTED',
      'grpc-accept-encoding': 'identity,deflate,gzip',
    });
  });

  test('reads a compressed message, and skips unknown fields', async () => {
    const { port } = await startGrpcFace();
    const { stream, status } = rawCall(rawSession(port), `${SERVICE}/ServerLive`, gzip);
    stream.resume();
    stream.end(framed(gzipSync(repeated([0xa0, 0x06, 0x01], 20_000)), true));
    expect(await status).toMatchObject({ 'grpc-status': '0' });
  });

  test("counts its messages separately from tenants' messages", async () => {
    const bodies = bodyBudget(2 ** 30);
    const take = vi.spyOn(bodies, 'take');
    const { port } = await startGrpcFace({ bodies, limits: { maxKeylessBytes: 100_000 } });
    const session = rawSession(port);
    const statuses = Array.from({ length: 3 }, () => {
      const { stream, status } = rawCall(session, `${SERVICE}/ServerLive`);
      stream.resume();
      stream.write(framed(Buffer.alloc(60_000)).subarray(0, 50_000));
      return status;
    });
    expect(await Promise.race(statuses)).toMatchObject({ 'skein-code': 'BODIES_TOO_LARGE' });
    expect(take).not.toHaveBeenCalled();
  });

  test('is ended in favour of newer calls, so that a normal call is answered', async () => {
    const { port, client } = await startGrpcFace({ limits: { maxKeylessCalls: 4 } });
    const session = rawSession(port);
    const stalled = Array.from({ length: 4 }, () => {
      const { stream, status } = rawCall(session, `${SERVICE}/ServerLive`);
      stream.resume();
      stream.write(Buffer.alloc(3));
      return status;
    });
    await new Promise((resolve) => session.ping(resolve));
    expect((await call(client, GRPCInferenceService.method.serverLive, {})).live).toBe(true);
    expect(await stalled[0]).toMatchObject({
      'grpc-status': '8',
      'skein-code': 'QUOTA_EXCEEDED',
    });
  });
});

describe('health watches', () => {
  test('are few on one connection, and their places are released', async () => {
    const { port } = await startGrpcFace({ limits: { maxKeylessStreams: 2 } });
    const session = rawSession(port);
    const open = () => {
      const { stream, status } = rawCall(session, WATCH);
      stream.resume();
      stream.end(framed(Buffer.alloc(0)));
      return { stream, status };
    };
    const watches = [open(), open()];
    await Promise.all(watches.map(({ stream }) => once(stream, 'data')));
    expect(await open().status).toMatchObject({ 'skein-code': 'QUOTA_EXCEEDED' });
    watches[0]!.stream.close(constants.NGHTTP2_CANCEL);
    await expect
      .poll(async () => {
        const { stream, status } = open();
        return Promise.race([
          once(stream, 'data').then(() => 'open'),
          status.then(() => 'refused'),
        ]);
      })
      .toBe('open');
  });

  test('of all connections leave places for tenants', async () => {
    const budgets = grpcBudgets({ maxConnections: 10, maxStreams: 4 }, () => 1 / 2);
    const { streams } = budgets;
    const { port } = await startGrpcFace({ budgets, access: fakeAccess(keys) });
    const open = (path: string, headers: Record<string, string> = {}) => {
      const { stream, status } = rawCall(rawSession(port), path, headers);
      stream.resume();
      if (path === WATCH) stream.end(framed(Buffer.alloc(0)));
      return { stream, status };
    };
    const watches = [open(WATCH), open(WATCH)];
    await Promise.all(watches.map(({ stream }) => once(stream, 'data')));
    expect(await open(WATCH).status).toMatchObject({ 'skein-code': 'QUOTA_EXCEEDED' });
    const { stream, status } = open(`${SERVICE}/ModelStreamInfer`, { authorization: 'Bearer i' });
    await expect.poll(() => streams.heldBy('tenant-i')).toBe(1);
    stream.end();
    expect(await status).toMatchObject({ 'grpc-status': '0' });
    await expect.poll(() => streams.heldBy('tenant-i')).toBe(0);
  });
});

describe('connections', () => {
  const silentSocket = (port: number) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    onTestFinished(() => void socket.destroy());
    return socket;
  };

  test('that never speak HTTP/2 are closed', async () => {
    const { port } = await startGrpcFace({ limits: { headersTimeoutMs: 200 } });
    const silent = silentSocket(port);
    const half = silentSocket(port);
    half.write('PRI * HTTP/2.0\r\n');
    const session = rawSession(port);
    await Promise.all([gone(silent), gone(half)]);
    expect(session.destroyed).toBe(false);
  });

  test('that are idle are closed', async () => {
    const { port } = await startGrpcFace({ limits: { keepAliveTimeoutMs: 200 } });
    const session = rawSession(port);
    await gone(session);
    expect(session.destroyed).toBe(true);
  });

  test('without a key are closed for new ones; those with a key stay', async () => {
    const { port, client } = await startGrpcFace({
      access: fakeAccess(keys),
      limits: { maxUnauthenticated: 3 },
    });
    const as = { authorization: 'Bearer r' };
    const { modelMetadata } = GRPCInferenceService.method;
    await call(client, modelMetadata, { name: 'echo' }, as);
    const oldest = rawSession(port);
    await once(oldest, 'remoteSettings');
    const others = Array.from({ length: 5 }, () => silentSocket(port));
    await gone(oldest);
    await Promise.all(others.slice(0, 3).map((socket) => gone(socket)));
    const { stream, status } = rawCall(rawSession(port), `${SERVICE}/ServerLive`);
    stream.resume();
    stream.end(framed(Buffer.alloc(0)));
    expect(await status).toMatchObject({ 'grpc-status': '0' });
    expect((await call(client, modelMetadata, { name: 'echo' }, as)).name).toBe('echo');
  });

  test('of one tenant leave places for other tenants', async () => {
    const budgets = grpcBudgets({ maxConnections: 4, maxStreams: 10 }, () => 1 / 2);
    const { port } = await startGrpcFace({ budgets, access: fakeAccess(keys) });
    const ask = (key: string) => {
      const path = `${SERVICE}/RepositoryIndex`;
      const { stream, status } = rawCall(rawSession(port), path, {
        authorization: `Bearer ${key}`,
      });
      stream.resume();
      stream.end(framed(Buffer.alloc(0)));
      return status;
    };
    expect(await ask('r')).toMatchObject({ 'grpc-status': '0' });
    expect(await ask('r')).toMatchObject({ 'grpc-status': '0' });
    expect(await ask('r')).toMatchObject({ 'skein-code': 'QUOTA_EXCEEDED' });
    expect(budgets.connections.heldBy('tenant-r')).toBe(2);
    expect(budgets.connections.limitOf('tenant-other')).toBe(1);
  });

  test('have few open calls and metadata of a bounded size', async () => {
    const { port } = await startGrpcFace();
    const session = rawSession(port);
    await once(session, 'remoteSettings');
    expect(session.remoteSettings.maxConcurrentStreams).toBe(32);
    const large = { 'x-large': 'x'.repeat(20_000) };
    const { stream } = rawCall(session, `${SERVICE}/ServerLive`, large);
    const answered = vi.fn();
    stream.on('response', (headers) => answered(headers['grpc-status']));
    await gone(stream);
    expect(answered).not.toHaveBeenCalledWith(0);
  });

  test('have more calls at once when they have carried a key', async () => {
    const { port } = await startGrpcFace({ access: fakeAccess(keys) });
    const session = rawSession(port);
    await once(session, 'remoteSettings');
    const ask = async (authorization: string): Promise<void> => {
      const call = rawCall(session, `${SERVICE}/ModelMetadata`, { authorization });
      call.stream.resume().end(framed(Buffer.alloc(0)));
      await call.status;
    };
    await ask('Bearer unknown');
    expect(session.remoteSettings.maxConcurrentStreams).toBe(32);
    const changed = once(session, 'remoteSettings');
    await ask('Bearer r');
    await changed;
    expect(session.remoteSettings.maxConcurrentStreams).toBe(128);
  });

  test.each([
    ['PING', Buffer.concat([Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), Buffer.alloc(8)])],
    ['SETTINGS', Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])],
  ])('that flood with %s frames are closed', async (_, frame) => {
    const { port } = await startGrpcFace();
    const socket = silentSocket(port);
    const closed = gone(socket);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    const many = Buffer.concat(Array.from({ length: 5000 }, () => frame));
    const flood = setInterval(() => socket.write(many), 20);
    await closed;
    clearInterval(flood);
    expect(socket.destroyed).toBe(true);
  });

  test('that reset calls as fast as they open them are closed', async () => {
    const { port } = await startGrpcFace();
    const session = rawSession(port);
    const closed = gone(session);
    const flood = setInterval(() => {
      for (let count = 0; count < 200 && !session.destroyed; count++) {
        rawCall(session, `${SERVICE}/ServerLive`).stream.close();
      }
    }, 5);
    await closed;
    clearInterval(flood);
    expect(session.destroyed).toBe(true);
  });
});

/** Resolves when it is closed for any reason. */
function gone(connection: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    connection.once('close', () => resolve());
  });
}
