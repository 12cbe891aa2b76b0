import { Metadata, type Client } from '@grpc/grpc-js';
import type { MessageShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { fakeAccess } from '../../../testing/fake-inference.ts';
import { codec } from '../../../testing/grpc-client.ts';
import { GRPCInferenceService } from './proto/inference.gen.ts';
import { floats, startGrpcFace } from '../../testing/grpc-face.ts';

const { method } = GRPCInferenceService;

describe('streams', () => {
  function open(client: Client, metadata: Record<string, string> = {}, deadline?: Date) {
    const { path, serialize, deserialize } = codec(method.modelStreamInfer);
    const stream = client.makeBidiStreamRequest(
      path,
      serialize,
      deserialize,
      Metadata.fromHttp2Headers(metadata),
      deadline === undefined ? {} : { deadline },
    );
    const answers: string[] = [];
    const failed: string[] = [];
    const status = new Promise<number>((resolve) => {
      stream.on('status', ({ code }: { code: number }) => resolve(code));
    });
    stream.on('error', () => {});
    stream.on(
      'data',
      ({ errorMessage, inferResponse }: MessageShape<typeof method.modelStreamInfer.output>) => {
        answers.push(errorMessage === '' ? inferResponse!.id : errorMessage);
        if (errorMessage !== '') failed.push(inferResponse!.id);
      },
    );
    return { stream, answers, failed, status };
  }

  test('answer in the order of the requests, errors included', async () => {
    const { client, inference } = await startGrpcFace();
    const release = Promise.withResolvers<void>();
    const started: string[] = [];
    inference.answer = async ({ id, inputs }) => {
      started.push(id);
      if (id === 'a') await release.promise;
      return inputs;
    };
    const { stream, answers, status } = open(client);
    stream.write({ ...floats(1), id: 'a' });
    stream.write({ ...floats(2), modelName: 'none' });
    stream.write({ ...floats(3), id: 'c' });
    stream.end();
    // Later requests do not wait for the first.
    await expect.poll(() => started).toEqual(['a', 'c']);
    expect(answers).toEqual([]);
    release.resolve();
    expect(await status).toBe(0);
    expect(answers).toEqual(['a', expect.stringContaining('MODEL_UNKNOWN'), 'c']);
  });

  test('name the request of an error by its id, as Triton does', async () => {
    const { client, inference } = await startGrpcFace();
    const { stream, failed, status } = open(client);
    stream.write({ ...floats(1), id: 'unknown', modelName: 'none' });
    stream.write({ modelName: 'echo', id: 'invalid', rawInputContents: [new Uint8Array(4)] });
    stream.write({ ...floats(1), modelName: 'none' });
    stream.end();
    expect(await status).toBe(0);
    expect(failed).toEqual(['unknown', 'invalid', '']);
    expect(inference.requests).toEqual([]);
  });

  test('are read ahead up to a bound, and no request is lost', async () => {
    const { client, inference, access } = await startGrpcFace();
    const release = Promise.withResolvers<void>();
    inference.answer = async ({ inputs }) => {
      await release.promise;
      return inputs;
    };
    const { stream, answers, status } = open(client);
    for (let index = 0; index < 300; index++) stream.write({ ...floats(index), id: String(index) });
    stream.end();
    await expect.poll(() => inference.requests.length).toBeGreaterThanOrEqual(64);
    await expect.poll(() => access.inFlight).toBeLessThanOrEqual(66);
    release.resolve();
    expect(await status).toBe(0);
    expect(answers).toEqual(Array.from({ length: 300 }, (_, index) => String(index)));
  });

  test('a timeout counts from its message, grpc-timeout from the call', async () => {
    const { client, inference } = await startGrpcFace();
    const timeout = { parameterChoice: { case: 'int64Param' as const, value: 2_000_000n } };
    const { stream, answers, status } = open(client, { 'skein-timeout-ms': '3000' });
    const limited = open(client, {}, new Date(Date.now() + 60_000));
    limited.stream.write({ ...floats(1), id: 'd' });
    stream.write({ ...floats(1), id: 'a' });
    await expect.poll(() => [...answers, ...limited.answers].toSorted()).toEqual(['a', 'd']);
    const before = performance.now();
    limited.stream.write({ ...floats(1), id: 'e' });
    stream.write({ ...floats(2), id: 'b' });
    stream.write({ ...floats(3), id: 'c', parameters: { timeout } });
    stream.end();
    limited.stream.end();
    expect(await Promise.all([status, limited.status])).toEqual([0, 0]);
    const deadlines = new Map(inference.requests.map(({ id, deadline }) => [id, deadline!]));
    expect(deadlines.get('a')).toBeLessThan(before + 3000);
    expect(deadlines.get('b')).toBeGreaterThanOrEqual(before + 3000);
    expect(deadlines.get('c')).toBeGreaterThanOrEqual(before + 2000);
    expect(deadlines.get('c')).toBeLessThan(before + 3000);
    expect(deadlines.get('e')).toBe(deadlines.get('d'));
  });

  test('a cancelled stream cancels its running requests', async () => {
    const { client, inference, access } = await startGrpcFace();
    inference.answer = ({ inputs, cancellation }) =>
      new Promise((resolve) => {
        cancellation!.onCancel = () => resolve(inputs);
      });
    const { stream, status } = open(client);
    stream.write(floats(1));
    stream.write(floats(2));
    await expect.poll(() => access.inFlight).toBe(2);
    stream.cancel();
    expect(await status).toBe(1);
    await expect.poll(() => access.inFlight).toBe(0);
  });

  test('need a key on a node with keys', async () => {
    const { client } = await startGrpcFace({ access: fakeAccess({ i: ['infer'] }) });
    expect(await open(client).status).toBe(16);
    const { stream, status, answers } = open(client, { authorization: 'Bearer i' });
    stream.write({ ...floats(1), id: 'a' });
    stream.end();
    expect(await status).toBe(0);
    expect(answers).toEqual(['a']);
  });

  test('end when the node drains, after their requests were answered', async () => {
    const { client, inference, gateway } = await startGrpcFace();
    const release = Promise.withResolvers<void>();
    inference.answer = async ({ inputs }) => {
      await release.promise;
      return inputs;
    };
    const { stream, answers, status } = open(client);
    stream.write({ ...floats(1), id: 'a' });
    await expect.poll(() => inference.requests.length).toBe(1);
    const drained = gateway.drain();
    release.resolve();
    expect(await status).toBe(14);
    expect(answers).toEqual(['a']);
    await drained;
  });
});
