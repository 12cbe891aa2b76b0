/**
 * Answers of many chunks over gRPC: a scripted target behind the real serving plane, read by
 * Python's grpcio, by the gRPC library and by a client below it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { bodyBudget } from '@skein/http';
import { tensor, type TensorMap } from '@skein/onnx';
import { requireComponent } from '../../../../../../scripts/testing/components.ts';
import { ACTOR, openScene } from '../../../../../serving/src/testing/scene.ts';
import { constant, type Script } from '../../../../../serving/src/testing/scripted-target.ts';
import { call, codec, failure } from '../../../testing/grpc-client.ts';
import { floats, startGrpcFace } from '../../testing/grpc-face.ts';
import { post, send, startHttpFace } from '../../testing/http-face.ts';
import { framed, messagesOf, rawCall, rawSession } from '../../testing/raw-grpc.ts';
import { GRPCInferenceService } from './proto/inference.gen.ts';

const { method } = GRPCInferenceService;
const grpcio = requireComponent('python3-grpcio');
const script = join(import.meta.dirname, '../../../testing/grpc_client.py');

/** A node's gRPC face with the deployment `echo`, whose target streams. */
async function start(stream: NonNullable<Script['stream']>, bodies = bodyBudget(2 ** 30)) {
  const scene = await openScene();
  await scene.version('echo', { stream });
  // The gap that is allowed between chunks must be longer than a slow machine takes.
  const settings = { objective: { latencyMs: 30_000 } };
  await scene.serving.deploy({ name: 'echo', version: '1', settings }, ACTOR);
  const face = await startGrpcFace({ inference: scene.serving, bodies });
  const isCancelled = (): boolean => scene.targets[0]!.requests[0]!.cancellation!.cancelled;
  return { ...face, ...scene, isCancelled };
}

/** Chunks that the test writes one by one. */
function source(...numbers: number[]): PassThrough {
  const chunks = new PassThrough({ objectMode: true });
  for (const number of numbers) chunks.write(constant(number));
  return chunks;
}

/** Lines of the Python client, as it prints them. */
function follow(port: number): () => Promise<unknown> {
  const client = spawn('/usr/bin/python3', [script, `127.0.0.1:${port}`, 'echo'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void client.kill());
  const lines = createInterface(client.stdout)[Symbol.asyncIterator]();
  return async () => JSON.parse((await lines.next()).value ?? 'null') as unknown;
}

describe.skipIf(grpcio.skip)('a Python client', () => {
  test('gets each chunk when it is made, and a mark on the last message', async () => {
    const chunks = source();
    const { port } = await start(() => chunks);
    const line = follow(port);
    for (const number of [1, 2, 3]) {
      // The next chunk does not exist before the client has shown this one.
      chunks.write(constant(number));
      expect(await line()).toEqual([[number], false]);
    }
    chunks.end();
    expect([await line(), await line()]).toEqual([[[], true], 'OK']);
  });

  test('gets the error of a stream that fails, and no last message', async () => {
    const chunks = source(1);
    const { port } = await start(() => chunks);
    const line = follow(port);
    expect(await line()).toEqual([[1], false]);
    chunks.destroy(new SkeinError('REPLICA_LOST', 'The replica is gone.'));
    expect([await line(), await line()]).toEqual(['REPLICA_LOST', 'OK']);
  });

  test.each(['the node ends', 'the connection is lost'])(
    'gets a status that is not OK when %s, and no last message',
    async (what) => {
      const { port, gateway, isCancelled } = await start(() => source(1));
      const between = await proxy(port);
      const line = follow(between.port);
      expect(await line()).toEqual([[1], false]);
      if (what === 'the node ends') void gateway.drain(performance.now());
      else between.cut();
      const status = await line();
      expect(status).toBeTypeOf('string');
      expect(status).not.toBe('OK');
      await expect.poll(isCancelled).toBe(true);
    },
  );
});

test('a client that cancels ends the target', async () => {
  const { client, isCancelled, access } = await start(() => source(1));
  const { stream, next } = open(client);
  stream.write(floats(1));
  expect(await next()).toBe(1);
  expect(access.inFlight).toBe(1);
  stream.cancel();
  await expect.poll(isCancelled).toBe(true);
  await expect.poll(() => access.inFlight).toBe(0);
});

test('a client that does not read holds the target back, and loses nothing', async () => {
  let made = 0;
  const { port, isCancelled } = await start(async function* () {
    const chunk = (): TensorMap =>
      new Map([['y', tensor('float32', [1, 4096], new Float32Array(4096).fill(++made))]]);
    for (;;) yield chunk();
  });
  const { path, serialize } = codec(method.modelStreamInfer);
  // 16 KiB a chunk: its windows and buffers hold a handful.
  const { stream } = rawCall(rawSession(port, 65_536), path);
  stream.write(framed(serialize(floats(1))));
  await expect.poll(() => made).toBeGreaterThan(1);
  for (let before = -1; made !== before; await sleep(100)) {
    before = made;
    expect(made).toBeLessThan(32);
  }
  const messages = messagesOf(stream);
  await expect.poll(() => messages.length).toBeGreaterThan(100);
  stream.close();
  await expect.poll(isCancelled).toBe(true);
});

test('the requests behind an answer of many chunks count until they are answered', async () => {
  const bodies = bodyBudget(2 ** 30);
  const chunks = [source(1), source(5)];
  const { client } = await start(() => chunks.shift()!, bodies);
  const [first, second] = [...chunks];
  const { stream, next, status } = open(client);
  const large = floats(...Array.from({ length: 25_000 }, () => 1));
  stream.write(floats(1));
  stream.write(large);
  expect(await next()).toBe(1);
  await expect.poll(() => bodies.held).toBeGreaterThan(100_000);
  for (const number of [2, 3, 4]) {
    first!.write(constant(number));
    expect(await next()).toBe(number);
  }
  expect(bodies.held).toBeGreaterThan(100_000);
  first!.end();
  expect(await next()).toBe(5);
  second!.end();
  // Both answers are complete, so nothing is held while the stream stays open.
  await expect.poll(() => bodies.held).toBe(0);
  stream.end();
  expect(await status).toBe(0);
});

test('a call that takes one answer is refused before the target runs', async () => {
  const { client, serving, targets } = await start(() => source(1));
  const refused = await failure(call(client, method.modelInfer, floats(1)));
  expect([refused.code, refused.metadata.get('skein-code')]).toEqual([12, ['STREAM_REQUIRED']]);
  const { port } = await startHttpFace({ inference: serving });
  const body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[1]}]}';
  expect(await send(port, '/v2/models/echo/infer', post(body))).toMatchObject({
    status: 400,
    json: { code: 'STREAM_REQUIRED' },
  });
  expect(targets[0]!.requests).toEqual([]);
});

/** A stream whose chunks are read one by one. */
function open(client: Client) {
  const { path, serialize, deserialize } = codec(method.modelStreamInfer);
  const stream = client.makeBidiStreamRequest(path, serialize, deserialize);
  stream.on('error', () => {});
  const status = new Promise<number>((resolve) => {
    stream.on('status', ({ code }: { code: number }) => resolve(code));
  });
  const messages = stream[Symbol.asyncIterator]();
  const next = async (): Promise<number> => {
    const { value } = await messages.next();
    const [raw] = (value as { inferResponse: { rawOutputContents: Uint8Array[] } }).inferResponse
      .rawOutputContents;
    return Buffer.from(raw!).readFloatLE();
  };
  return { stream, next, status };
}

/** Passes bytes on until it is cut. */
async function proxy(port: number): Promise<{ readonly port: number; cut(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((incoming) => {
    const outgoing = connect(port, '127.0.0.1');
    for (const socket of [incoming, outgoing]) sockets.push(socket.on('error', () => {}));
    incoming.pipe(outgoing).pipe(incoming);
    outgoing.on('close', () => incoming.destroy());
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  onTestFinished(cut);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as AddressInfo).port, cut };
}
