/** The gRPC face with a client in another language: Python's grpcio, with the official message definitions. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { requireComponent } from '../../../../../../scripts/testing/components.ts';
import { deployedModel, fakeInference } from '../../../testing/fake-inference.ts';
import { startGrpcFace } from '../../testing/grpc-face.ts';
import { createModelStatistics } from '../statistics.ts';

const grpcio = requireComponent('python3-grpcio');
const script = join(import.meta.dirname, '../../../testing/grpc_client.py');

test.skipIf(grpcio.skip)('every method answers a Python client', async () => {
  const inference = fakeInference(deployedModel('echo'), deployedModel('slow'));
  const statistics = createModelStatistics();
  const cancelled = Promise.withResolvers<void>();
  inference.answer = async (request) => {
    if (request.deployment === 'slow') {
      request.cancellation!.onCancel = cancelled.resolve;
      await cancelled.promise;
    } else {
      statistics.batchRan('echo', '1', 4, { inputMs: 0.5, computeMs: 1, outputMs: 0.25 });
      statistics.answered(
        { ...request, deadline: Infinity },
        {
          version: '1',
          outputs: new Map(),
          times: { queueMs: 0, computeMs: 1, batchRows: 4 },
          cached: false,
        },
        request.arrivedAt + 2,
      );
    }
    return request.inputs;
  };
  const calls: string[] = [];
  const { port } = await startGrpcFace({
    inference,
    repository: {
      index: async () => [
        { name: 'echo', version: '1', state: 'READY', reason: '' },
        { name: 'cold', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
      ],
      load: async (model) => void calls.push(`load ${model}`),
      unload: async (model) => void calls.push(`unload ${model}`),
    },
    statistics,
  });
  const client = spawn('/usr/bin/python3', [script, `127.0.0.1:${port}`]);
  const [output, complaints] = await Promise.all([
    text(client.stdout),
    text(client.stderr),
    once(client, 'exit'),
  ]);
  expect(complaints.split('\n').filter((line) => /Error|assert/i.test(line))).toEqual([]);
  const hex = (array: ArrayBufferView) =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex');
  expect(JSON.parse(output)).toEqual({
    live: true,
    ready: true,
    model_ready: true,
    server: 'skein',
    metadata: ['echo', ['1'], 'onnxruntime_onnx', ['x', 'FP32', [-1, -1]]],
    raw: ['echo', '1', 'r-1', 'FP32', [1, 3], [1.5, -2, 0.25]],
    typed: {
      BOOL: '0100',
      INT8: '807f',
      INT16: hex(Int16Array.of(-32768, 32767)),
      INT32: hex(Int32Array.of(-(2 ** 31), 2 ** 31 - 1)),
      INT64: hex(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)),
      UINT8: '00ff',
      UINT16: '0000ffff',
      UINT32: hex(Uint32Array.of(0, 2 ** 32 - 1)),
      UINT64: hex(BigUint64Array.of(0n, 2n ** 64n - 1n)),
      FP32: hex(Float32Array.of(1.5, -0)),
      FP64: hex(Float64Array.of(0.1, 1e300)),
      BYTES: '02000000ff0000000000',
    },
    order: 'INT64',
    error: [
      'NOT_FOUND',
      expect.stringMatching(
        /^Request for unknown model: 'none' is not found\. .*\(MODEL_UNKNOWN\)$/,
      ),
      'MODEL_UNKNOWN',
    ],
    timeout: 'DEADLINE_EXCEEDED',
    stream: ['a', 'MODEL_UNKNOWN', 'c'],
    // One raw, one typed and two streamed requests, of 4 rows and 2 ms each.
    statistics: ['echo', 16, 8_000_000],
    index: [['echo', 'READY']],
  });
  await cancelled.promise;
  expect(calls).toEqual(['load echo', 'unload echo']);
  const typed = inference.requests.find(({ priority }) => priority === 1)!;
  // Their difference has a rounding error.
  expect(typed.deadline! - typed.arrivedAt).toBeLessThan(5000 + 1e-6);
});
