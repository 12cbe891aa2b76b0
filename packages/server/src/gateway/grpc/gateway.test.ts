import { fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { remoteOf } from '@skein/http';
import {
  deployedModel,
  fakeAccess,
  fakeInference,
  strictLogger,
} from '../../testing/fake-inference.ts';
import { call, codec, failure } from '../../testing/grpc-client.ts';
import { createGrpcGateway } from './gateway.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from './proto/health.gen.ts';
import { GRPCInferenceService } from '../oip/grpc/proto/inference.gen.ts';
import { ServerReflection } from './proto/reflection.gen.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';
import { floats, startGrpcFace } from '../testing/grpc-face.ts';
import { SAMPLE_STATISTICS } from '../testing/fake-plane.ts';

const { method } = GRPCInferenceService;

describe('the rest of the service', () => {
  test('health and metadata', async () => {
    const { client, inference } = await startGrpcFace();
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
    // Clients ask in a loop until the answer is yes, so none of these may be an error.
    for (const asked of [{ name: 'none' }, { name: 'echo', version: '7' }, {}]) {
      expect(await call(client, method.modelReady, asked)).toMatchObject({ ready: false });
    }
    expect(await call(client, method.modelReady, { name: 'echo', version: '2' })).toMatchObject({
      ready: true,
    });
    inference.models.set('echo', deployedModel('echo', { ready: false }));
    expect(await call(client, method.serverReady, {})).toMatchObject({ ready: false });
    expect(await call(client, method.modelReady, { name: 'echo' })).toMatchObject({ ready: false });
  });

  test('repository and statistics', async () => {
    const { client, calls } = await startGrpcFace({
      statistics: SAMPLE_STATISTICS,
    });
    expect((await call(client, method.repositoryIndex, {})).models).toHaveLength(2);
    expect((await call(client, method.repositoryIndex, { ready: true })).models).toMatchObject([
      { name: 'echo', version: '1', state: 'READY' },
    ]);
    const config = { parameterChoice: { case: 'stringParam' as const, value: '{}' } };
    const parameters = { config };
    await call(client, method.repositoryModelLoad, { modelName: 'echo', parameters });
    await call(client, method.repositoryModelUnload, { modelName: 'echo' });
    expect(calls).toEqual([
      expect.stringMatching(/^load echo local 127\.0\.0\.1:\d+ \{"config":"\{\}"\}$/),
      expect.stringMatching(/^unload echo local 127\.0\.0\.1:\d+$/),
    ]);
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
    const { client } = await startGrpcFace({
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

  test('a refused login is recorded with its address', async () => {
    const access = fakeAccess({ r: ['read'] });
    const from: string[] = [];
    const recording: FaceAccess = {
      ...access,
      unrecorded: access,
      authorize(authorization, scope, peer) {
        from.push(remoteOf(peer));
        return access.authorize(authorization, scope);
      },
    };
    const { client } = await startGrpcFace({ access: recording });
    const refused: Promise<unknown>[] = [
      call(client, method.modelMetadata, { name: 'echo' }),
      call(client, method.modelStatistics, {}),
      call(client, method.repositoryIndex, {}),
      call(client, method.repositoryModelLoad, { modelName: 'echo' }),
      call(client, method.repositoryModelUnload, { modelName: 'echo' }),
      call(client, method.modelInfer, floats(1)),
    ];
    for (const each of refused) expect((await failure(each)).code).toBe(16);
    expect(from).toEqual(refused.map(() => expect.stringMatching(/^127\.0\.0\.1:\d+$/)));
  });

  test('an unknown method is UNIMPLEMENTED', async () => {
    const { client } = await startGrpcFace();
    const error = await failure(
      new Promise((resolve, reject) => {
        const asIs = (bytes: Buffer) => bytes;
        client.makeUnaryRequest(
          '/inference.GRPCInferenceService/ModelTrain',
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
    const { client, inference } = await startGrpcFace();
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
    const { client, inference, gateway } = await startGrpcFace();
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
  const { client } = await startGrpcFace();
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
  const { client, inference, gateway } = await startGrpcFace();
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

test('a taken port is reported, or the next one is used', async () => {
  const { port } = await startGrpcFace();
  const other = createGrpcGateway({
    faces: [],
    inference: fakeInference(),
    access: fakeAccess(),
    logger: strictLogger,
    limits: { drainGraceMs: 0 },
  });
  onTestFinished(() => other.drain());
  await expect(other.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  });
  expect((await other.listen({ host: '127.0.0.1', port, alternatives: 20 })).port).toBeGreaterThan(
    port,
  );
});
