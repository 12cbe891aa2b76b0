import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { fromBinary, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { afterEach, describe, expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import {
  deployedModel,
  fakeAccess,
  fakeInference,
  strictLogger,
} from '../testing/fake-inference.ts';
import { call, codec, failure } from '../testing/grpc-client.ts';
import { createGrpcGateway, type GrpcGatewayOptions } from './grpc-gateway.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from './proto/health.gen.ts';
import { GRPCInferenceService, type ModelInferRequestSchema } from './proto/inference.gen.ts';
import { ServerReflection } from './proto/reflection.gen.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const { method } = GRPCInferenceService;

async function start(overrides: Partial<GrpcGatewayOptions> = {}) {
  const inference = fakeInference(deployedModel('echo', { versions: ['1', '2'] }));
  const access = fakeAccess();
  const calls: string[] = [];
  const gateway = createGrpcGateway({
    inference,
    access,
    repository: {
      index: async () => [
        { name: 'echo', version: '1', state: 'READY', reason: '' },
        { name: 'echo', version: '2', state: 'UNAVAILABLE', reason: 'unloaded' },
      ],
      load: async (model, actor) => void calls.push(`load ${model} ${actor}`),
      unload: async (model, actor) => void calls.push(`unload ${model} ${actor}`),
    },
    statistics: { read: () => [] },
    version: '9.9.9',
    logger: strictLogger,
    ...overrides,
    limits: { drainGraceMs: 0, drainTimeoutMs: 5000, ...overrides.limits },
  });
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  closers.push(
    () => gateway.drain(),
    () => client.close(),
  );
  return { gateway, inference, access, calls, client, port };
}

type InferInit = Exclude<MessageInitShape<typeof ModelInferRequestSchema>, { $typeName: string }>;

function floats(...list: number[]): InferInit {
  return {
    modelName: 'echo',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [BigInt(list.length)] }],
    rawInputContents: [new Uint8Array(new Float32Array(list).buffer)],
  };
}

describe('inference', () => {
  test('raw in, raw out, with id, version and metadata', async () => {
    const { client, inference } = await start();
    inference.models.set(
      'echo',
      deployedModel('echo', { versions: ['1', '2'], stickyHeader: 'x-user' }),
    );
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const response = await call(
      client,
      method.modelInfer,
      { ...floats(1, 2.5), id: 'r1', modelVersion: '2' },
      { 'x-user': 'ann', traceparent },
    );
    expect(response).toMatchObject({
      modelName: 'echo',
      modelVersion: '2',
      id: 'r1',
      outputs: [{ name: 'x', datatype: 'FP32', shape: [2n] }],
    });
    expect(new Float32Array(Uint8Array.from(response.rawOutputContents[0]!).buffer)).toEqual(
      Float32Array.of(1, 2.5),
    );
    expect(inference.requests[0]).toMatchObject({
      id: 'r1',
      deployment: 'echo',
      version: '2',
      protocol: 'grpc',
      stickyKey: 'ann',
      trace: { traceparent },
      deadline: undefined,
    });
  });

  test('grpc-timeout, the parameter and the metadata become a deadline; the earliest counts', async () => {
    const { client, inference } = await start();
    const timeout = { parameterChoice: { case: 'int64Param' as const, value: 2_000_000n } };
    const before = performance.now();
    await call(client, method.modelInfer, floats(1), {}, new Date(Date.now() + 60_000));
    await call(
      client,
      method.modelInfer,
      { ...floats(1), parameters: { timeout } },
      {},
      new Date(Date.now() + 60_000),
    );
    await call(
      client,
      method.modelInfer,
      { ...floats(1), parameters: { timeout } },
      { 'skein-timeout-ms': '1000' },
    );
    const after = performance.now();
    for (const [index, patience] of [60_000, 2000, 1000].entries()) {
      const { deadline } = inference.requests[index]!;
      // grpc-timeout is sent in whole milliseconds of another clock.
      expect(deadline).toBeGreaterThan(before + patience - 50);
      expect(deadline).toBeLessThan(after + patience + 50);
    }
  });

  test('a refusal has its status, its code and when to come back', async () => {
    const { client, inference } = await start();
    inference.answer = () => {
      throw new SkeinError('QUEUE_FULL', 'Full — 1024 wait.', { retryAfterMs: 12.5 });
    };
    const error = await failure(call(client, method.modelInfer, floats(1)));
    expect(error.code).toBe(8);
    expect(error.details).toContain('QUEUE_FULL: Full — 1024 wait.');
    expect(error.metadata.get('retry-after-ms')).toEqual(['13']);
    expect(error.metadata.get('skein-code')).toEqual(['QUEUE_FULL']);
  });

  test('unknown models, garbage and faults keep their kinds apart', async () => {
    const faults: object[] = [];
    const { client, inference, access } = await start({
      logger: { ...strictLogger, error: (details) => void faults.push(details) },
    });
    expect(
      (await failure(call(client, method.modelInfer, { ...floats(1), modelName: 'none' }))).code,
    ).toBe(5);
    expect(
      (await failure(call(client, method.modelInfer, { ...floats(1), modelVersion: '9' }))).code,
    ).toBe(5);
    expect((await failure(call(client, method.modelInfer, {}))).code).toBe(3);
    inference.answer = () => {
      throw new Error('secret');
    };
    const fault = await failure(call(client, method.modelInfer, floats(1)));
    expect(fault.code).toBe(13);
    expect(fault.details).not.toContain('secret');
    expect(faults).toHaveLength(1);
    expect(access.inFlight).toBe(0);
  });

  test('a cancelled call cancels the request', async () => {
    const { client, inference, access } = await start();
    const cancelled = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    inference.answer = async ({ inputs, cancellation }) => {
      cancellation!.onCancel = cancelled.resolve;
      arrived.resolve();
      await cancelled.promise;
      return inputs;
    };
    const { path, serialize, deserialize } = codec(method.modelInfer);
    const pending = client.makeUnaryRequest(path, serialize, deserialize, floats(1), () => {});
    await arrived.promise;
    pending.cancel();
    await cancelled.promise;
    await expect.poll(() => access.inFlight).toBe(0);
  });

  test('a message over the limit is refused, one below passes', async () => {
    const { client } = await start({ limits: { maxBodyBytes: 1_000_000 } });
    const big = (length: number) => ({
      modelName: 'echo',
      inputs: [{ name: 'x', datatype: 'UINT8', shape: [BigInt(length)] }],
      rawInputContents: [new Uint8Array(length)],
    });
    expect((await call(client, method.modelInfer, big(900_000))).rawOutputContents[0]).toHaveLength(
      900_000,
    );
    expect((await failure(call(client, method.modelInfer, big(1_100_000)))).code).toBe(8);
  });
});

describe('streams', () => {
  function open(client: Client, metadata: Record<string, string> = {}) {
    const { path, serialize, deserialize } = codec(method.modelStreamInfer);
    const stream = client.makeBidiStreamRequest(
      path,
      serialize,
      deserialize,
      Metadata.fromHttp2Headers(metadata),
    );
    const answers: string[] = [];
    const status = new Promise<number>((resolve) => {
      stream.on('status', ({ code }: { code: number }) => resolve(code));
    });
    stream.on('error', () => {});
    stream.on(
      'data',
      ({ errorMessage, inferResponse }: MessageShape<typeof method.modelStreamInfer.output>) => {
        answers.push(errorMessage === '' ? inferResponse!.id : errorMessage);
      },
    );
    return { stream, answers, status };
  }

  test('answer in the order of the requests, errors included', async () => {
    const { client, inference } = await start();
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
    // The later ones do not wait for the first.
    await expect.poll(() => started).toEqual(['a', 'c']);
    expect(answers).toEqual([]);
    release.resolve();
    expect(await status).toBe(0);
    expect(answers).toEqual(['a', expect.stringContaining('MODEL_UNKNOWN'), 'c']);
  });

  test('are read only so far ahead, and nothing is lost', async () => {
    const { client, inference, access } = await start();
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

  test('a cancelled stream cancels what runs', async () => {
    const { client, inference, access } = await start();
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

  test('need a key where keys are needed', async () => {
    const { client } = await start({ access: fakeAccess({ i: ['infer'] }) });
    expect(await open(client).status).toBe(16);
    const { stream, status, answers } = open(client, { authorization: 'Bearer i' });
    stream.write({ ...floats(1), id: 'a' });
    stream.end();
    expect(await status).toBe(0);
    expect(answers).toEqual(['a']);
  });

  test('end with what they brought when the node drains', async () => {
    const { client, inference, gateway } = await start();
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

describe('the rest of the service', () => {
  test('health and metadata', async () => {
    const { client, inference } = await start();
    expect(await call(client, method.serverLive, {})).toMatchObject({ live: true });
    expect(await call(client, method.serverReady, {})).toMatchObject({ ready: true });
    expect(await call(client, method.serverMetadata, {})).toMatchObject({
      name: 'skein',
      version: '9.9.9',
    });
    expect(await call(client, method.modelReady, { name: 'echo' })).toMatchObject({ ready: true });
    expect(await call(client, method.modelMetadata, { name: 'echo' })).toMatchObject({
      name: 'echo',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1n, -1n] }],
    });
    expect((await failure(call(client, method.modelReady, { name: 'none' }))).code).toBe(5);
    inference.models.set('echo', deployedModel('echo', { ready: false }));
    expect(await call(client, method.serverReady, {})).toMatchObject({ ready: false });
    expect(await call(client, method.modelReady, { name: 'echo' })).toMatchObject({ ready: false });
  });

  test('repository and statistics', async () => {
    const duration = { count: 2, totalMs: 1.5 };
    const { client, calls } = await start({
      statistics: {
        read: (name = 'all', version = '1') => [
          {
            name,
            version,
            lastInference: 5,
            inferenceCount: 4,
            executionCount: 2,
            success: duration,
            fail: duration,
            queue: duration,
            compute: duration,
            cacheHit: duration,
            batches: [{ rows: 2, compute: duration }],
          },
        ],
      },
    });
    expect((await call(client, method.repositoryIndex, {})).models).toHaveLength(2);
    expect((await call(client, method.repositoryIndex, { ready: true })).models).toMatchObject([
      { name: 'echo', version: '1', state: 'READY' },
    ]);
    await call(client, method.repositoryModelLoad, { modelName: 'echo' });
    await call(client, method.repositoryModelUnload, { modelName: 'echo' });
    expect(calls).toEqual(['load echo local', 'unload echo local']);
    const config = { parameterChoice: { case: 'stringParam' as const, value: '{}' } };
    expect(
      (
        await failure(
          call(client, method.repositoryModelLoad, { modelName: 'echo', parameters: { config } }),
        )
      ).code,
    ).toBe(3);
    expect(await call(client, method.modelStatistics, { name: 'echo' })).toMatchObject({
      modelStats: [
        {
          name: 'echo',
          inferenceCount: 4n,
          inferenceStats: { success: { count: 2n, ns: 1_500_000n } },
          batchStats: [{ batchSize: 2n }],
        },
      ],
    });
  });

  test('scopes', async () => {
    const { client } = await start({
      access: fakeAccess({ i: ['infer'], r: ['read'], a: ['admin'] }),
    });
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    expect(await call(client, method.serverReady, {})).toMatchObject({ ready: true });
    expect((await failure(call(client, method.modelMetadata, { name: 'echo' }))).code).toBe(16);
    expect((await failure(call(client, method.modelInfer, floats(1), as('r')))).code).toBe(7);
    expect((await call(client, method.modelMetadata, { name: 'echo' }, as('r'))).name).toBe('echo');
    expect((await call(client, method.modelInfer, floats(1), as('i'))).modelName).toBe('echo');
    expect(
      (await failure(call(client, method.repositoryModelLoad, { modelName: 'echo' }, as('r'))))
        .code,
    ).toBe(7);
    await call(client, method.repositoryModelLoad, { modelName: 'echo' }, as('a'));
  });

  test('an unknown method is UNIMPLEMENTED', async () => {
    const { client } = await start();
    const error = await failure(
      new Promise((resolve, reject) => {
        const asIs = (bytes: Buffer) => bytes;
        client.makeUnaryRequest(
          '/inference.GRPCInferenceService/ModelConfig',
          asIs,
          asIs,
          Buffer.alloc(0),
          (failed, response) => (failed === null ? resolve(response) : reject(failed)),
        );
      }),
    );
    expect(error.code).toBe(12);
  });
});

describe('grpc.health.v1', () => {
  test('checks the node, the service and deployments', async () => {
    const { client, inference } = await start();
    const check = async (service: string) =>
      (await call(client, Health.method.check, { service })).status;
    expect(await check('')).toBe(Status.SERVING);
    expect(await check('inference.GRPCInferenceService')).toBe(Status.SERVING);
    expect(await check('echo')).toBe(Status.SERVING);
    inference.models.set('echo', deployedModel('echo', { ready: false }));
    expect(await check('echo')).toBe(Status.NOT_SERVING);
    expect((await failure(call(client, Health.method.check, { service: 'none' }))).code).toBe(5);
  });

  test('watches changes until the node drains', async () => {
    const { client, inference, gateway } = await start();
    const { path, serialize, deserialize } = codec(Health.method.watch);
    const stream = client.makeServerStreamRequest(path, serialize, deserialize, {
      service: 'echo',
    });
    const seen: number[] = [];
    const ended = new Promise<void>((resolve) => {
      stream.on('end', resolve);
    });
    stream.on('data', ({ status }: { status: number }) => seen.push(status));
    await expect.poll(() => seen).toEqual([Status.SERVING]);
    inference.models.set('echo', deployedModel('echo', { ready: false }));
    await expect.poll(() => seen, { timeout: 5000 }).toEqual([Status.SERVING, Status.NOT_SERVING]);
    inference.models.set('echo', deployedModel('echo'));
    await expect.poll(() => seen.length, { timeout: 5000 }).toBe(3);
    await gateway.drain();
    await ended;
    expect(seen.at(-1)).toBe(Status.NOT_SERVING);
  });
});

test('reflection lists the services and gives their files', async () => {
  const { client } = await start();
  const { path, serialize, deserialize } = codec(ServerReflection.method.serverReflectionInfo);
  for (const name of [path, path.replace('.v1.', '.v1alpha.')]) {
    const stream = client.makeBidiStreamRequest(name, serialize, deserialize);
    const answers: MessageShape<
      typeof ServerReflection.method.serverReflectionInfo.output
    >['messageResponse'][] = [];
    stream.on('data', ({ messageResponse }: { messageResponse: (typeof answers)[number] }) =>
      answers.push(messageResponse),
    );
    stream.write({ messageRequest: { case: 'listServices', value: '' } });
    stream.write({
      messageRequest: {
        case: 'fileContainingSymbol',
        value: 'inference.ModelInferRequest.InferInputTensor',
      },
    });
    stream.write({ messageRequest: { case: 'fileByFilename', value: 'none.proto' } });
    stream.end();
    await new Promise((resolve) => {
      stream.on('end', resolve);
    });
    const [list, file, none] = answers;
    expect(
      list!.case === 'listServicesResponse' && list!.value.service.map((service) => service.name),
    ).toEqual([
      'inference.GRPCInferenceService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
    ]);
    const proto =
      file!.case === 'fileDescriptorResponse' &&
      fromBinary(FileDescriptorProtoSchema, file!.value.fileDescriptorProto[0]!);
    expect(proto && proto.package).toBe('inference');
    expect(none).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } });
  }
});

test('draining finishes a call in flight', async () => {
  const { client, inference, gateway } = await start();
  const release = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  inference.answer = async ({ inputs }) => {
    arrived.resolve();
    await release.promise;
    return inputs;
  };
  const answer = call(client, method.modelInfer, floats(1));
  await arrived.promise;
  const drained = gateway.drain();
  release.resolve();
  expect((await answer).modelName).toBe('echo');
  await drained;
});

test('a taken port is told, or the next one is taken', async () => {
  const { port } = await start();
  const other = createGrpcGateway({
    inference: fakeInference(),
    access: fakeAccess(),
    repository: { index: async () => [], load: async () => {}, unload: async () => {} },
    statistics: { read: () => [] },
    version: '0',
    logger: strictLogger,
    limits: { drainGraceMs: 0 },
  });
  closers.push(() => other.drain());
  await expect(other.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  });
  expect((await other.listen({ host: '127.0.0.1', port, alternatives: 20 })).port).toBeGreaterThan(
    port,
  );
});
