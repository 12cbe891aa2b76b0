import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { AnySchema, DurationSchema } from '@bufbuild/protobuf/wkt';
import type { ServiceError } from '@grpc/grpc-js';
import type { NumericTensor } from '@skein/onnx';
import { describe, expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { deployedModel, strictLogger } from '../../../testing/fake-inference.ts';
import { call, codec, failure } from '../../../testing/grpc-client.ts';
import { GRPCInferenceService } from './proto/inference.gen.ts';
import { floats, startGrpcFace } from '../../testing/grpc-face.ts';

const { method } = GRPCInferenceService;

describe('inference', () => {
  test('raw in, raw out, with id, version and metadata', async () => {
    const { client, inference } = await startGrpcFace();
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
    const { client, inference } = await startGrpcFace();
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

  test.each([30, 60, 400, 40_000])('a deadline of %i days has not passed', async (days) => {
    const { client, inference } = await startGrpcFace();
    inference.answer = async ({ inputs }) => {
      await new Promise((resolve) => void setTimeout(resolve, 20));
      return structuredClone(inputs);
    };
    const later = new Date(Date.now() + days * 86_400_000);
    await call(client, method.modelInfer, floats(1), {}, later);
    const { deadline, arrivedAt } = inference.requests[0]!;
    // The longest time of a timer.
    expect((deadline! - arrivedAt) / 86_400_000).toBeCloseTo(24.85, 1);
  });

  test('a refusal has its status, its code and its retry time', async () => {
    const { client, inference } = await startGrpcFace();
    inference.answer = () => {
      throw new SkeinError('QUEUE_FULL', 'Full — 1024 wait.', { retryAfterMs: 12.5 });
    };
    const error = await failure(call(client, method.modelInfer, floats(1)));
    expect(error.code).toBe(8);
    expect(error.details).toMatch(/^Full — 1024 wait\. .*\(QUEUE_FULL\)$/);
    expect(error.metadata.get('retry-after-ms')).toEqual(['13']);
    expect(retryInfoOf(error)).toEqual({ code: 8, message: error.details, delayMs: 13 });
    expect(error.metadata.get('skein-code')).toEqual(['QUEUE_FULL']);
  });

  test('unknown models, invalid requests and faults have different statuses', async () => {
    const faults: object[] = [];
    const { client, inference, access } = await startGrpcFace({
      logger: { ...strictLogger, error: (details) => void faults.push(details) },
    });
    expect(
      (await failure(call(client, method.modelInfer, { ...floats(1), modelName: 'none' }))).code,
    ).toBe(5);
    expect(
      (await failure(call(client, method.modelInfer, { ...floats(1), modelVersion: '9' }))).code,
    ).toBe(5);
    const stray = { rawInputContents: [new Uint8Array(4)] };
    expect((await failure(call(client, method.modelInfer, stray))).code).toBe(3);
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
    const { client, inference, access } = await startGrpcFace();
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

  test("memory of a large message is freed when it is answered, and the answer's when it is sent", async () => {
    const { client, inference } = await startGrpcFace();
    const answers: Uint8Array[] = [];
    inference.answer = ({ inputs }) => {
      const bytes = new Uint8Array((inputs.get('x') as NumericTensor).bytes);
      answers.push(bytes);
      return new Map([['y', { type: 'uint8', shape: [bytes.length], bytes }]]);
    };
    const content = new Uint8Array(2 ** 21).fill(7);
    const answer = await call(client, method.modelInfer, {
      modelName: 'echo',
      inputs: [{ name: 'x', datatype: 'UINT8', shape: [BigInt(content.length)] }],
      rawInputContents: [content],
    });
    expect(Buffer.compare(answer.rawOutputContents[0]!, content)).toBe(0);
    const { bytes } = inference.requests[0]!.inputs.get('x') as NumericTensor;
    await expect
      .poll(() => [bytes, ...answers].map(({ buffer }) => buffer))
      .toEqual([
        expect.objectContaining({ detached: true }),
        expect.objectContaining({ detached: true }),
      ]);
  });

  test('a message over the limit is refused, one below it is accepted', async () => {
    const { client } = await startGrpcFace({ limits: { maxBodyBytes: 1_000_000 } });
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

/** `google.rpc.Status` with `google.rpc.RetryInfo`, read with the well-known types alone. */
function retryInfoOf({ metadata }: ServiceError) {
  const [bytes] = metadata.get('grpc-status-details-bin') as Buffer[];
  const reader = new BinaryReader(bytes!);
  const fields = new Map<number, unknown>();
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    fields.set(field, wireType === WireType.Varint ? reader.int32() : reader.bytes());
  }
  const any = fromBinary(AnySchema, fields.get(3) as Uint8Array);
  expect(any.typeUrl).toBe('type.googleapis.com/google.rpc.RetryInfo');
  const info = new BinaryReader(any.value);
  expect(info.tag()[0]).toBe(1);
  const { seconds, nanos } = fromBinary(DurationSchema, info.bytes());
  return {
    code: fields.get(1),
    message: Buffer.from(fields.get(2) as Uint8Array).toString(),
    delayMs: Number(seconds) * 1000 + nanos / 1e6,
  };
}
