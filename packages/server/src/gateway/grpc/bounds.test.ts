/** Clients that stall, and many large messages: the gRPC library does not bound them. */
import { constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { bodyBudget } from '@skein/http';
import { call, codec, failure } from '../../testing/grpc-client.ts';
import { GRPCInferenceService } from '../oip/grpc/proto/inference.gen.ts';
import { floats, startGrpcFace } from '../testing/grpc-face.ts';
import {
  framed as frame,
  messagesOf,
  type RawCall,
  rawCall,
  rawSession,
} from '../testing/raw-grpc.ts';

const { method } = GRPCInferenceService;

const { serialize } = codec(method.modelInfer);
const framed = (message: ReturnType<typeof floats>): Buffer => frame(serialize(message));

function rawStream(
  port: number,
  rpc: 'ModelInfer' | 'ModelStreamInfer',
  window?: number,
  encoding?: string,
): RawCall {
  const headers: Record<string, string> =
    encoding === undefined ? {} : { 'grpc-encoding': encoding };
  return rawCall(rawSession(port, window), `/inference.GRPCInferenceService/${rpc}`, headers);
}

describe('clients that stall', () => {
  test('in the middle of a message of a stream get an error; between messages they may pause', async () => {
    const { port, access } = await startGrpcFace({ limits: { bodyTimeoutMs: 200 } });
    const idle = rawStream(port, 'ModelStreamInfer');
    const answers = messagesOf(idle.stream);
    idle.stream.write(framed(floats(1)));
    await expect.poll(() => answers.length).toBe(1);
    const stalled = rawStream(port, 'ModelStreamInfer');
    const message = framed(floats(1, 2));
    stalled.stream.resume();
    stalled.stream.write(message);
    stalled.stream.write(message.subarray(0, 9));
    expect(await stalled.status).toMatchObject({
      'grpc-status': '4',
      'skein-code': 'BODY_TOO_SLOW',
    });
    // The other stream has been silent for longer than that, and is still served.
    idle.stream.write(framed(floats(1)));
    await expect.poll(() => answers.length).toBe(2);
    idle.stream.end();
    expect(await idle.status).toMatchObject({ 'grpc-status': '0' });
    expect(access.inFlight).toBe(0);
  });

  test('a stream that the node does not read because its queue is full does not time out', async () => {
    const { port, inference } = await startGrpcFace({ limits: { bodyTimeoutMs: 200 } });
    const release = Promise.withResolvers<void>();
    inference.answer = async ({ inputs }) => {
      await release.promise;
      return inputs;
    };
    const { stream, status } = rawStream(port, 'ModelStreamInfer');
    const answers = messagesOf(stream);
    const message = framed(floats(1));
    for (let i = 0; i < 100; i++) stream.write(message);
    stream.write(message.subarray(0, 7));
    // Another call times out meanwhile, which proves that the time has passed.
    const late = rawStream(port, 'ModelInfer');
    late.stream.write(message.subarray(0, 7));
    late.stream.resume();
    expect(await late.status).toMatchObject({ 'skein-code': 'BODY_TOO_SLOW' });
    stream.end(message.subarray(7));
    release.resolve();
    expect(await status).toMatchObject({ 'grpc-status': '0' });
    expect(answers.length).toBe(101);
  });

  test.each(['ModelInfer', 'ModelStreamInfer'] as const)(
    'a client of %s that does not read its answer loses the call',
    async (rpc) => {
      const bodies = bodyBudget(2 ** 30);
      const { port } = await startGrpcFace({ bodies, limits: { bodyTimeoutMs: 200 } });
      const { stream, closed } = rawStream(port, rpc, 1024);
      stream.pause();
      stream.end(framed(floats(...Array.from({ length: 10_000 }, () => 1))));
      expect(await closed).toBe(constants.NGHTTP2_CANCEL);
      await expect.poll(() => bodies.held).toBe(0);
    },
  );
});

describe('many bodies at once', () => {
  test('gives the memory of half a message back when its client leaves', async () => {
    const bodies = bodyBudget(2 ** 30);
    const { port } = await startGrpcFace({ bodies });
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    onTestFinished(() => allocate.mockRestore());
    const { stream } = rawStream(port, 'ModelInfer');
    const half = Buffer.alloc(2 ** 20);
    half.writeUInt32BE(2 ** 21, 1);
    stream.write(half);
    await expect.poll(() => bodies.held).toBe(half.length);
    const frames = allocate.mock.results.flatMap(({ value }) => {
      const { buffer } = value as Buffer<ArrayBuffer>;
      return buffer.byteLength === half.length ? [buffer] : [];
    });
    expect(frames).toHaveLength(1);
    stream.close(constants.NGHTTP2_CANCEL);
    await expect.poll(() => frames[0]!.detached).toBe(true);
    expect(bodies.held).toBe(0);
  });

  test('an answer counts until its client has read it, whatever the tenant may hold', async () => {
    const message = framed(floats(1));
    const bodies = bodyBudget(2 * message.length);
    const { port, inference } = await startGrpcFace({ bodies });
    const bytes = new Uint8Array(100_000);
    inference.answer = () => new Map([['y', { type: 'uint8', shape: [bytes.length], bytes }]]);
    const { stream, status } = rawStream(port, 'ModelInfer', 1024);
    stream.pause();
    stream.end(message);
    await expect.poll(() => bodies.held).toBeGreaterThan(bytes.length);
    stream.resume();
    expect(await status).toMatchObject({ 'grpc-status': '0' });
    await expect.poll(() => bodies.held).toBe(0);
  });

  test('a message counts until it is freed, though its answer is not read', async () => {
    const message = framed(floats(...Array.from({ length: 100_000 }, () => 1)));
    const bodies = bodyBudget(2 ** 30);
    const { port, inference } = await startGrpcFace({ bodies });
    const bytes = new Uint8Array(100_000);
    const arrived = Promise.withResolvers<number>();
    inference.answer = () => {
      arrived.resolve(bodies.held);
      return new Map([['y', { type: 'uint8', shape: [bytes.length], bytes }]]);
    };
    const { stream } = rawStream(port, 'ModelInfer', 1024);
    stream.pause();
    stream.end(message);
    expect(await arrived.promise).toBeGreaterThanOrEqual(message.length);
    await expect.poll(() => bodies.held).toBeLessThan(bytes.length + 1000);
    expect(bodies.held).toBeGreaterThan(bytes.length);
  });

  test('an answer whose connection was cut counts until it is freed, which is soon', async () => {
    const bodies = bodyBudget(2 ** 30);
    const { port, inference } = await startGrpcFace({ bodies });
    const bytes = new Uint8Array(2 ** 20);
    inference.answer = () => new Map([['y', { type: 'uint8', shape: [bytes.length], bytes }]]);
    const { stream } = rawStream(port, 'ModelInfer', 1024);
    stream.pause();
    stream.end(framed(floats(1)));
    await expect.poll(() => bodies.held).toBeGreaterThan(2 ** 20);
    stream.session!.destroy();
    await expect.poll(() => bodies.held).toBe(0);
    expect(bytes.length).toBe(0);
  });

  test('are bounded together; a unary call above the bound is refused with a code', async () => {
    const message = framed(floats(1, 2, 3, 4));
    const bodies = bodyBudget(1.5 * message.length);
    const { client, inference } = await startGrpcFace({ bodies });
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    inference.answer = async ({ inputs }) => {
      arrived.resolve();
      await release.promise;
      return inputs;
    };
    const first = call(client, method.modelInfer, floats(1, 2, 3, 4));
    await arrived.promise;
    expect(bodies.held).toBe(message.length);
    const refused = await failure(call(client, method.modelInfer, floats(1, 2, 3, 4)));
    expect(refused.code).toBe(8);
    expect(refused.metadata.get('skein-code')).toEqual(['BODIES_TOO_LARGE']);
    expect(refused.metadata.get('retry-after-ms')).toEqual(['1000']);
    release.resolve();
    await first;
    await expect.poll(() => bodies.held).toBe(0);
    await call(client, method.modelInfer, floats(1, 2, 3, 4));
  });

  test('bound the answers too, but for the only one of a tenant', async () => {
    const bodies = bodyBudget(2 ** 20);
    const { client, inference } = await startGrpcFace({ bodies });
    const length = 2 * 2 ** 20;
    inference.answer = () =>
      new Map([['y', { type: 'uint8', shape: [length], bytes: new Uint8Array(length) }]]);
    await call(client, method.modelInfer, floats(1));
    bodies.take('default', 1);
    const refused = await failure(call(client, method.modelInfer, floats(1)));
    expect(refused.metadata.get('skein-code')).toEqual(['BODIES_TOO_LARGE']);
    bodies.give('default', 1);
    await expect.poll(() => bodies.held).toBe(0);
  });

  test('a stream counts its messages until they are answered, and ends above the bound', async () => {
    const message = framed(floats(1, 2, 3, 4));
    const bodies = bodyBudget(3.5 * message.length);
    const { port, inference } = await startGrpcFace({ bodies });
    const patient = rawStream(port, 'ModelStreamInfer');
    const answers = messagesOf(patient.stream);
    for (let sent = 1; sent <= 10; sent++) {
      patient.stream.write(message);
      await expect.poll(() => answers.length).toBe(sent);
    }
    await expect.poll(() => bodies.held).toBe(0);
    inference.answer = () => new Promise(() => {});
    for (let i = 0; i < 4; i++) patient.stream.write(message);
    expect(await patient.status).toMatchObject({
      'grpc-status': '8',
      'skein-code': 'BODIES_TOO_LARGE',
    });
    await expect.poll(() => bodies.held).toBe(0);
  });

  test('a compressed message counts at its decompressed size', async () => {
    const message = codec(method.modelInfer).serialize(
      floats(...Array.from({ length: 10_000 }, () => 0)),
    );
    const compressed = gzipSync(message);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt8(1, 0);
    prefix.writeUInt32BE(compressed.length, 1);
    const bodies = bodyBudget(message.length / 2);
    const { port } = await startGrpcFace({ bodies });
    const { stream, status } = rawStream(port, 'ModelInfer', undefined, 'gzip');
    stream.resume();
    stream.end(Buffer.concat([prefix, compressed]));
    expect(await status).toMatchObject({ 'skein-code': 'BODIES_TOO_LARGE' });
  });
});
