import { createServer, type RequestListener } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { runLoad, type GivenPlan } from './load.ts';
import type { LoadTarget } from './target.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A real server on a free port. */
async function serve(listener: RequestListener): Promise<LoadTarget> {
  const server = createServer({ keepAlive: true }, listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    protocol: 'http',
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    path: '/infer',
    headers: { 'content-type': 'application/json' },
    bodies: [Buffer.from('{"n":1}'), Buffer.from('{"n":2}')],
  };
}

describe('runLoad over HTTP', () => {
  it('sends every request of an open loop, with the bodies in turn', async () => {
    const bodies: string[] = [];
    const target = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        bodies.push(body);
        response.end('{}');
      });
    });
    const report = await runLoad({
      target,
      mode: { kind: 'open', arrivals: 'constant', rate: 200 },
      durationMs: 500,
      objectiveMs: 10_000,
    });
    expect(report.sent).toBe(100);
    expect(report.answered).toBe(100);
    expect(report.attainment).toBe(1);
    expect(report.goodputPerSecond).toBe(200);
    expect(bodies.filter((body) => body === '{"n":1}')).toHaveLength(50);
    expect(bodies.filter((body) => body === '{"n":2}')).toHaveLength(50);
  });

  it('counts refusals under the code of the server, and other errors under their status', async () => {
    let count = 0;
    const target = await serve((request, response) => {
      request.resume();
      const turn = count++ % 3;
      if (turn === 0) response.end('{}');
      else if (turn === 1) response.writeHead(503).end('{"error":"full","code":"QUEUE_FULL"}');
      else response.writeHead(500).end('oops');
    });
    const report = await runLoad({
      target,
      mode: { kind: 'open', arrivals: 'constant', rate: 300 },
      durationMs: 100,
    });
    expect([report.sent, report.answered]).toEqual([30, 10]);
    expect(report.refused).toEqual({ QUEUE_FULL: 10 });
    expect(report.failed).toEqual({ 'HTTP 500': 10 });
    expect(report.refusal.p99Ms).not.toBeNull();
  });

  it('times out when no answer arrives, and fails when a connection breaks', async () => {
    let count = 0;
    const target = await serve((request, response) => {
      request.resume();
      if (count++ % 2 === 0) request.socket.destroy();
      else response.flushHeaders();
    });
    const report = await runLoad({
      target,
      mode: { kind: 'open', arrivals: 'constant', rate: 100 },
      durationMs: 100,
      timeoutMs: 200,
    });
    expect(report.answered).toBe(0);
    const failures = Object.values(report.failed).reduce((sum, each) => sum + each, 0);
    expect(failures).toBe(10);
    expect(report.failed['timeout']).toBe(5);
  });

  it('opens no more connections than its limit, and queues further requests', async () => {
    const sockets = new Set<unknown>();
    const target = await serve((request, response) => {
      sockets.add(request.socket);
      request.resume();
      setTimeout(() => response.end('{}'), 5);
    });
    const report = await runLoad({
      target,
      mode: { kind: 'open', arrivals: 'constant', rate: 1000 },
      durationMs: 100,
      maxConnections: 3,
    });
    expect(report.answered).toBe(100);
    expect(sockets.size).toBe(3);
  });

  it('keeps a connection per client of a closed loop, over several threads', async () => {
    const sockets = new Set<unknown>();
    const target = await serve((request, response) => {
      sockets.add(request.socket);
      request.resume();
      response.end('{}');
    });
    const report = await runLoad({
      target,
      mode: { kind: 'closed', clients: 5 },
      durationMs: 200,
      threads: 2,
    });
    expect(sockets.size).toBe(5);
    expect(report.answered).toBeGreaterThan(50);
  });

  it('fails when no server listens', async () => {
    const target = await serve(() => undefined);
    for (const close of closing.splice(0)) close();
    const load = runLoad({
      target,
      mode: { kind: 'open', arrivals: 'constant', rate: 10 },
      durationMs: 100,
    });
    await expect(load).rejects.toThrow(/ECONNREFUSED/);
  });

  it('ends when it is aborted', async () => {
    const target = await serve((request, response) => {
      request.resume();
      response.end('{}');
    });
    const abort = new AbortController();
    const load = runLoad(
      { target, mode: { kind: 'open', arrivals: 'constant', rate: 100 }, durationMs: 60_000 },
      { signal: abort.signal, onProgress: () => abort.abort() },
    );
    await expect(load).rejects.toThrow(/abort/i);
  });
});

describe('runLoad over gRPC', () => {
  async function serveGrpc(
    answer: (stream: http2.ServerHttp2Stream, message: Buffer) => void,
  ): Promise<LoadTarget> {
    const server = http2.createServer();
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => answer(stream, Buffer.concat(chunks)));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    closing.push(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    return {
      protocol: 'grpc',
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      path: '/inference.GRPCInferenceService/ModelInfer',
      headers: {},
      bodies: [Buffer.from([1, 2, 3])],
    };
  }

  it('frames messages and reads the status from trailers, or from headers alone', async () => {
    const messages = new Set<string>();
    let count = 0;
    const target = await serveGrpc((stream, message) => {
      messages.add(message.toString('hex'));
      if (count++ % 2 === 0) {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.from([0, 0, 0, 0, 0]));
      } else {
        stream.respond({ ':status': 200, 'grpc-status': '8' }, { endStream: true });
      }
    });
    const report = await runLoad({
      target,
      mode: { kind: 'open', arrivals: 'constant', rate: 200 },
      durationMs: 100,
    });
    expect(messages).toEqual(new Set(['0000000003010203']));
    expect([report.sent, report.answered]).toEqual([20, 10]);
    expect(report.refused).toEqual({ 'gRPC 8': 10 });
  });
});

describe('runLoad', () => {
  const target = { protocol: 'http', host: '127.0.0.1', port: 1, path: '/', headers: {} } as const;
  const plan: GivenPlan = {
    target: { ...target, bodies: [Buffer.from('{}')] },
    mode: { kind: 'open', arrivals: 'poisson', rate: 10 },
    durationMs: 100,
  };
  it.each<[string, Partial<GivenPlan>]>([
    ['no body', { target: { ...target, bodies: [] } }],
    ['no body', { target: { ...target, bodies: undefined as unknown as [] } }],
    ['a body that is not', { target: { ...target, bodies: ['{}' as unknown as Uint8Array] } }],
    ['target', { target: undefined as never }],
    ['mode', { mode: undefined as never }],
    ['rate', { mode: { kind: 'open', arrivals: 'poisson', rate: Infinity } }],
    ['clients', { mode: { kind: 'closed', clients: 0 } }],
    ['durationMs', { durationMs: Number.NaN }],
    ['threads', { threads: 0 }],
    ['maxConnections', { maxConnections: 0 }],
    ['warmupMs', { warmupMs: Infinity }],
    ['objectiveMs', { objectiveMs: Number.NaN }],
    ['timeoutMs', { timeoutMs: 2 ** 31 }],
    // From a program without types.
    [
      'protocol',
      { target: { ...target, bodies: [Buffer.from('{}')], protocol: 'htpp' as 'http' } },
    ],
    ['mode', { mode: { kind: 'opne' as 'open', arrivals: 'poisson', rate: 10 } }],
    ['arrivals', { mode: { kind: 'open', arrivals: 'normal' as 'poisson', rate: 10 } }],
  ])('refuses a plan that cannot be sent: %s', async (named, change) => {
    const failure = await runLoad({ ...plan, ...change }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RangeError);
    expect(String(failure)).toContain(named);
  });
});
