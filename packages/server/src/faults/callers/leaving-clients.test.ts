/** Clients that disconnect, and deadlines that pass, while their requests wait behind a long run. */
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { counting } from '../../../../runtime/src/testing/models.ts';
import { GRPCInferenceService } from '../../gateway/oip/grpc/proto/inference.gen.ts';
import { codec } from '../../testing/grpc-client.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { rawClient } from '../../testing/raw-client.ts';

/** Seconds of the run that the other requests wait for. */
const LONG = 3_000_000;

const BODY = JSON.stringify({
  inputs: [
    { name: 'rounds', datatype: 'INT64', shape: [], data: [1] },
    { name: 'x', datatype: 'FP32', shape: [], data: [0] },
  ],
});

let node: NodeProcess;
let client: Client;
beforeAll(async () => {
  node = await startNodeProcess();
  client = new Client(node.grpcUrl, credentials.createInsecure());
  await node.deploy('counting', counting(), {
    // So long that the queue is never too long for it.
    objective: { latencyMs: 600_000 },
    replicas: { min: 1, max: 1 },
  });
});
afterAll(async () => {
  client.close();
  await node[Symbol.asyncDispose]();
});

const target = async () => (await node.client.getDeployment({ name: 'counting' })).targets[0]!;

const infer = (rounds: number, options: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
  node.client.infer(
    'counting',
    {
      rounds: { shape: [], data: BigInt64Array.of(BigInt(rounds)) },
      x: { shape: [], data: Float32Array.of(0) },
    },
    options,
  );

/** Starts a run that keeps the only replica busy. */
async function occupy(): Promise<{ readonly ended: Promise<unknown>; isOver(): boolean }> {
  let over = false;
  const ended = infer(LONG).finally(() => (over = true));
  await expect.poll(async () => (await target()).inFlightRows, { interval: 5 }).toBe(1);
  return { ended, isOver: () => over };
}

// First: once a long run has been measured, such a request is refused when it arrives.
it('a request whose deadline passes in the queue is failed at its deadline, not when a replica is free', async () => {
  const long = await occupy();
  const late = await fetch(`${node.url}/v2/models/counting/infer`, {
    method: 'POST',
    headers: { 'skein-timeout-ms': '300' },
    body: BODY,
  });
  expect([late.status, await late.json()]).toEqual([
    504,
    expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }),
  ]);
  expect(long.isOver()).toBe(false);
  await long.ended;
});

it('requests of clients that disconnect are removed from the queue and counted', async () => {
  const before = await target();
  const long = await occupy();

  const disconnecting = Array.from({ length: 8 }, () => {
    const { socket } = rawClient(node.port);
    socket.write(
      `POST /v2/models/counting/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
    );
    return socket;
  });
  const abort = new AbortController();
  const aborting = Array.from({ length: 8 }, () =>
    expect(infer(1, { signal: abort.signal })).rejects.toMatchObject({ code: 'CANCELLED' }),
  );
  const { path, serialize, deserialize } = codec(GRPCInferenceService.method.modelInfer);
  const message = {
    modelName: 'counting',
    inputs: [
      { name: 'rounds', datatype: 'INT64', shape: [] },
      { name: 'x', datatype: 'FP32', shape: [] },
    ],
    rawInputContents: [new Uint8Array(8), new Uint8Array(4)],
  };
  const cancelling = Array.from({ length: 8 }, () =>
    client.makeUnaryRequest(path, serialize, deserialize, message, () => {}),
  );
  const streamed = codec(GRPCInferenceService.method.modelStreamInfer);
  const stream = client.makeBidiStreamRequest(
    streamed.path,
    streamed.serialize,
    streamed.deserialize,
  );
  stream.on('error', () => {});
  for (let i = 0; i < 8; i++) stream.write(message);
  const staying = infer(5);
  await expect.poll(async () => (await target()).queuedRequests, { interval: 5 }).toBe(33);

  for (const socket of disconnecting) socket.destroy();
  abort.abort();
  for (const pending of cancelling) pending.cancel();
  stream.cancel();
  await expect.poll(async () => (await target()).queuedRequests, { interval: 5 }).toBe(1);
  expect((await target()).refused).toEqual({ ...before.refused, CANCELLED: 32 });
  expect(long.isOver()).toBe(false);
  await Promise.all(aborting);

  await long.ended;
  expect((await staying).outputs['y']!.data[0]).toBe(5);
  expect((await target()).answered).toBe(before.answered + 2);
});

it('a client that disconnects during its run frees its place, and the next is served', async () => {
  const abort = new AbortController();
  const leaving = expect(infer(300_000, { signal: abort.signal })).rejects.toMatchObject({
    code: 'CANCELLED',
  });
  await expect.poll(async () => (await target()).inFlightRows, { interval: 5 }).toBe(1);
  const { refused } = await target();
  abort.abort();
  await leaving;
  expect((await infer(7)).outputs['y']!.data[0]).toBe(7);
  expect((await target()).refused['CANCELLED']).toBe((refused['CANCELLED'] ?? 0) + 1);
});
