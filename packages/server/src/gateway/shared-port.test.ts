/** HTTP/1.1 and gRPC on one port, distinguished by the first bytes of a connection. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect, Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { openCertificates } from '../../../http/src/tls/certificates.ts';
import {
  createAuthority,
  install,
  temporaryFolder,
} from '../../../http/src/tls/testing/authority.ts';
import { fakeAccess, fakeInference } from '../testing/fake-inference.ts';
import { call, failure } from '../testing/grpc-client.ts';
import { createGrpcGateway } from './grpc/gateway.ts';
import { GRPCInferenceService, ModelInferRequestSchema } from './oip/grpc/proto/inference.gen.ts';
import { fakePlane } from './testing/fake-plane.ts';
import { floats, startGrpcFace } from './testing/grpc-face.ts';
import { INFER, ONE, post, send, startHttpFace } from './testing/http-face.ts';
import { held, raw } from './testing/http-sockets.ts';
import { framed, rawCall, rawSession } from './testing/raw-grpc.ts';

const { method } = GRPCInferenceService;
const run = promisify(execFile);
const openssl = requireComponent('openssl');
const curl = requireComponent('curl');
const python = requireComponent('python3-grpcio');

type Options = NonNullable<Parameters<typeof startHttpFace>[0]> &
  NonNullable<Parameters<typeof startGrpcFace>[0]>;

/** Both faces; `port` is the one of HTTP, and `client` calls gRPC on it. */
async function startOnePort(overrides: Options = {}) {
  const grpc = await startGrpcFace(overrides);
  const taken: Socket[] = [];
  const http = await startHttpFace({
    ...overrides,
    inference: grpc.inference,
    http2: (socket) => {
      taken.push(socket);
      grpc.gateway.accept(socket);
    },
  });
  const client = new Client(`127.0.0.1:${http.port}`, credentials.createInsecure());
  // Both at once, as a node does: each waits for the connections of the shared port.
  onTestFinished(async () => {
    client.close();
    await Promise.all([http.gateway.drain(), grpc.gateway.drain()]);
  });
  return { http, grpc, client, port: http.port, inference: grpc.inference, taken };
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** An empty SETTINGS frame. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

describe('one port', () => {
  test('answers HTTP/1.1 and gRPC, at the same time', async () => {
    const { port, client, inference } = await startOnePort();
    const answers = await Promise.all([
      send(port, INFER, post(ONE)),
      call(client, method.modelInfer, floats(1, 2)),
      send(port, '/v2/health/live'),
      call(client, method.serverLive, {}),
    ]);
    expect(answers[0].json).toMatchObject({ outputs: [{ data: [1, 2.5] }] });
    expect(answers[1].rawOutputContents).toHaveLength(1);
    expect(answers[2].json).toEqual({ live: true });
    expect(answers[3].live).toBe(true);
    expect(inference.requests.map(({ protocol }) => protocol).toSorted()).toEqual(['grpc', 'http']);
  });

  test.skipIf(python.skip)('answers the gRPC client of Python', async () => {
    const { port } = await startOnePort();
    const script = `
import grpc, sys
same = lambda message: message
channel = grpc.insecure_channel(sys.argv[1])
print(channel.unary_unary("/inference.GRPCInferenceService/ServerLive", same, same)(b"", timeout=10).hex())`;
    const { stdout } = await run('/usr/bin/python3', ['-c', script, `127.0.0.1:${port}`]);
    expect(stdout.trim()).toBe('0801');
  });

  test('recognizes both protocols when their first bytes arrive one by one', async () => {
    const { port, taken } = await startOnePort();
    for (const [text, answer] of [
      [PREFACE + SETTINGS.toString('latin1'), /^\0\0/],
      ['PROPFIND / HTTP/1.1\r\nHost: localhost\r\n\r\n', /^HTTP\/1\.1 404 /],
      ['PRINT / HTTP/1.1\r\nHost: localhost\r\n\r\n', /^$/],
    ] as const) {
      const client = raw(port);
      client.socket.setNoDelay(true);
      const before = taken.length;
      for (const character of text) {
        if (client.socket.destroyed) break;
        client.socket.write(Buffer.from(character, 'latin1'));
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (text.startsWith('PRINT')) {
        // It begins as the preface does, so HTTP/2 ends it.
        await expect.poll(() => client.socket.closed).toBe(true);
        expect(taken).toHaveLength(before + 1);
      } else {
        expect(await client.until(answer)).toMatch(answer);
      }
    }
  });

  test('refuses a connection that sends nothing, half a preface, or one that ends within it', async () => {
    const { port } = await startOnePort({ limits: { headersTimeoutMs: 100 } });
    const silent = raw(port);
    expect(await silent.closed).toMatch(/^HTTP\/1\.1 408 [\s\S]*BODY_TOO_SLOW/);
    const half = raw(port);
    half.socket.write('PR');
    expect(await half.closed).toMatch(/^HTTP\/1\.1 408 /);
    const ended = raw(port);
    ended.socket.end('PR');
    expect(await ended.closed).toMatch(/^HTTP\/1\.1 400 [\s\S]*REQUEST_INVALID/);
    const left = raw(port);
    left.socket.end();
    expect(await left.closed).toBe('');
  });

  test('a client that resets its connection before the first byte ends nothing else', async () => {
    const { port } = await startOnePort();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.resetAndDestroy();
    expect((await send(port, '/v2/health/live')).json).toEqual({ live: true });
  });

  test('a client that resets its connection after a refusal ends nothing else', async () => {
    const { port, http } = await startOnePort({ limits: { headersTimeoutMs: 50 } });
    const clients = [raw(port), raw(port)];
    clients[1]!.socket.write('PR');
    for (const client of clients) {
      await client.until(/ 408 /);
      client.socket.resetAndDestroy();
    }
    // Until then, the error of a socket without a listener would have ended the process.
    await expect(http.gateway.drain()).resolves.toBeUndefined();
  });
});

describe('limits on one port', () => {
  test('gRPC connections take no place of HTTP connections, and have their own bounds', async () => {
    const { port, inference } = await startOnePort({
      limits: { maxConnections: 2, maxUnauthenticated: 3, headersTimeoutMs: 60_000 },
    });
    const speakers = Array.from({ length: 6 }, () => raw(port));
    for (const { socket } of speakers) socket.write(PREFACE + SETTINGS.toString('latin1'));
    // Connections that never carried a key give way to each other, oldest first.
    await Promise.all(speakers.slice(0, 3).map(({ closed }) => closed));
    const { release } = held(inference);
    const busy = [raw(port), raw(port)];
    for (const { socket } of busy) {
      socket.write(
        `POST ${INFER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${ONE.length}\r\n\r\n`,
      );
      socket.write(ONE);
    }
    await expect.poll(() => inference.requests.length).toBe(2);
    expect(await raw(port).closed).toMatch(/CONNECTIONS_EXHAUSTED/);
    release();
    for (const client of busy) await client.until(/"data":\[1,2.5\]/);
    expect(speakers.slice(3).map(({ socket }) => socket.destroyed)).toEqual([false, false, false]);
  });

  test('a key is checked as on the other port', async () => {
    const access = fakeAccess({ i: ['infer'] });
    const { client, port } = await startOnePort({ access, open: false });
    expect((await failure(call(client, method.modelInfer, floats(1)))).code).toBe(16);
    const authorization = { authorization: 'Bearer i' };
    const answer = await call(client, method.modelInfer, floats(1), authorization);
    expect(answer.modelName).toBe('echo');
    expect((await send(port, INFER, post(ONE))).status).toBe(401);
  });

  test('a request that is no gRPC is answered by HTTP/2', async () => {
    const { port } = await startOnePort();
    const { stream, closed } = rawCall(rawSession(port), '/v2/health/live', {
      'content-type': 'application/json',
    });
    stream.resume();
    stream.end();
    const [headers] = await once(stream, 'response');
    expect(headers[':status']).toBe(415);
    expect(await closed).toBe(constants.NGHTTP2_NO_ERROR);
  });
});

describe('a drain of one port', () => {
  test('finishes the calls in flight of both protocols, and closes their connections', async () => {
    const { http, grpc, client, port, inference, taken } = await startOnePort();
    const { release } = held(inference);
    const running = [send(port, INFER, post(ONE)), call(client, method.modelInfer, floats(1))];
    await expect.poll(() => inference.requests.length).toBe(2);
    const drained = Promise.all([http.gateway.drain(), grpc.gateway.drain()]);
    release();
    const [one, other] = await Promise.all(running);
    expect(one).toMatchObject({ status: 200 });
    expect(other).toMatchObject({ modelName: 'echo' });
    await drained;
    expect(taken.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  test('continues when a client resets its connection', async () => {
    const { http, grpc, port, inference, taken } = await startOnePort();
    held(inference);
    const socket = connect(port, '127.0.0.1');
    const session = connectHttp2('http://localhost', { createConnection: () => socket });
    session.on('error', () => {});
    const message = create(ModelInferRequestSchema, floats(1));
    const { stream } = rawCall(session, '/inference.GRPCInferenceService/ModelInfer');
    stream.end(framed(toBinary(ModelInferRequestSchema, message)));
    await expect.poll(() => inference.requests.length).toBe(1);
    const drained = Promise.all([http.gateway.drain(), grpc.gateway.drain()]);
    await once(session, 'goaway');
    socket.resetAndDestroy();
    await drained;
    expect(taken.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  test('closes what is handed over after it, even if gRPC had no port of its own yet', async () => {
    const { options } = fakePlane(fakeInference());
    const gateway = createGrpcGateway({ faces: [], ...options });
    await gateway.drain();
    const socket = new Socket();
    gateway.accept(socket);
    expect(socket.destroyed).toBe(true);
  });

  test('cuts off calls that do not finish', async () => {
    const { http, grpc, client, inference } = await startOnePort({
      limits: { drainTimeoutMs: 100 },
    });
    held(inference);
    const failed = failure(call(client, method.modelInfer, floats(1)));
    await expect.poll(() => inference.requests.length).toBe(1);
    await Promise.all([http.gateway.drain(), grpc.gateway.drain()]);
    expect((await failed).code).toBeGreaterThan(0);
  });
});

describe.skipIf(openssl.skip)('one port over TLS', () => {
  async function startSecurely() {
    const folder = temporaryFolder();
    const authority = createAuthority(folder, 'ca');
    const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    install(authority.issue('first'), files);
    const certificates = await openCertificates(files, { warn: () => {} });
    onTestFinished(() => certificates.close());
    return { authority, ...(await startOnePort({ certificates })) };
  }

  test('gRPC clients get HTTP/2, by ALPN', async () => {
    const { authority, port } = await startSecurely();
    const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(authority.pem));
    onTestFinished(() => client.close());
    expect((await call(client, method.serverLive, {})).live).toBe(true);
    expect((await call(client, method.modelInfer, floats(1, 2))).modelName).toBe('echo');
  });

  test.skipIf(curl.skip)('clients that offer both protocols get HTTP/1.1', async () => {
    const { authority, port } = await startSecurely();
    const url = `https://localhost:${port}/v2/health/live`;
    const options = ['-sS', '--http2', '--cacert', authority.certificate, '-w', ' %{http_version}'];
    expect((await run('curl', [...options, url])).stdout).toBe('{"live":true} 1.1');
  });
});
