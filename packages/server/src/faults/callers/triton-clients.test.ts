/**
 * A real node under the requests of NVIDIA's example clients, in their order: health, metadata,
 * configuration, the images' clients, and model control, over gRPC from Python and over HTTP.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GraphBuilder, type Model } from '@skein/onnx';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';

const script = join(import.meta.dirname, '../../testing/grpc_client.py');
const SETTINGS = {
  objective: { latencyMs: 30_000 },
  batching: { maxRows: 8 },
  oversubscribe: true,
};

/** Images of three channels and any size, to one number per channel. */
function classifier(): Model {
  const graph = new GraphBuilder('classifier');
  const data = graph.input('data', 'float32', ['batch', 3, 'height', 'width']);
  const [pooled] = graph.node('GlobalAveragePool', [data], {});
  graph.node('Flatten', [pooled], {}, { outputs: ['prob'] });
  graph.output('prob', 'float32', ['batch', 3]);
  return graph.model();
}

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ args: ['--server-name', 'triton'] });
});
afterAll(() => node[Symbol.asyncDispose]());

const unknown = (rest: string) =>
  expect.stringMatching(new RegExp(`^Request for unknown model: ${rest}`)) as string;

const grpcio = requireComponent('python3-grpcio');
it.skipIf(grpcio.skip)('gRPC', async () => {
  await node.deploy('densenet', classifier(), SETTINGS);
  const args = [script, node.grpcUrl, '--control', 'densenet'];
  const { stdout } = await promisify(execFile)('/usr/bin/python3', args);
  expect(JSON.parse(stdout)).toEqual({
    server: 'triton',
    ready: [true, false, false],
    unknown: ['NOT_FOUND', unknown(`'wrong_model_name' is not found`)],
    unknown_version: ['NOT_FOUND', unknown(`'densenet' version 9 is not found`)],
    config: ['densenet', 'onnxruntime_onnx', 'onnxruntime', 8],
    // TYPE_FP32, FORMAT_NCHW.
    input: ['data', 11, 2, [3, -1, -1]],
    metadata: [-1, 3, -1, -1],
    versions: [1],
    // KIND_CPU.
    instances: [expect.any(Number), 2],
    timeout: 30_000_000,
    wrong_config: ['INVALID_ARGUMENT', expect.stringContaining("failed to load 'densenet'")],
    override: null,
    overridden: 16,
    unloaded: [false, ['NOT_FOUND', unknown(`'densenet' has no available versions`)]],
    // The settings survive the unload.
    loaded: [true, 16],
    wrong_load: ['NOT_FOUND', expect.stringContaining("failed to load 'wrong_model_name'")],
  });
});

it('HTTP', async () => {
  await node.deploy('images', classifier(), SETTINGS);
  const ask = async (path: string, body?: object) => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(`${node.url}/v2/${path}`, init);
    const text = await response.text();
    return {
      status: response.status,
      json: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  };
  const maxBatch = async () => (await ask('models/images/config')).json;
  expect((await ask('')).json).toMatchObject({ name: 'triton' });
  expect(await maxBatch()).toMatchObject({ max_batch_size: 8, input: [{ format: 'FORMAT_NCHW' }] });
  const load = (config: string) => ask('repository/models/images/load', { parameters: { config } });
  expect(await load('"max_batch_size": 16')).toMatchObject({
    status: 400,
    json: { error: expect.stringContaining("failed to load 'images'") as string },
  });
  expect((await load('{"max_batch_size":"16"}')).status).toBe(200);
  expect(await maxBatch()).toMatchObject({ max_batch_size: 16 });
  const parameters = { unload_dependents: false };
  expect((await ask('repository/models/images/unload', { parameters })).status).toBe(200);
  // A client of Triton takes any status but 200 as not ready.
  expect(await ask('models/images/ready')).toMatchObject({
    status: 404,
    json: { error: unknown(`'images' has no available versions`) },
  });
  expect((await ask('repository/models/images/load', {})).status).toBe(200);
  expect((await ask('models/images/ready')).status).toBe(200);
  expect(await maxBatch()).toMatchObject({ max_batch_size: 16 });
  expect(await ask('models/wrong_model_name')).toMatchObject({
    status: 404,
    json: { error: unknown(`'wrong_model_name' is not found`) },
  });
});

it('statistics have one entry for the version, and measure each part of a run', async () => {
  await node.deploy('counted', classifier(), SETTINGS);
  type Duration = { count: number; ns: number };
  const read = async () => {
    const response = await fetch(`${node.url}/v2/models/counted/stats`);
    const { model_stats: stats } = (await response.json()) as {
      model_stats: { version: string; inference_stats: Record<string, Duration> }[];
    };
    expect(stats.map(({ version }) => version)).toEqual(['1']);
    return stats[0]!.inference_stats;
  };
  expect((await read())['success']).toEqual({ count: 0, ns: 0 });
  await node.client.infer('counted', { data: { shape: [1, 3, 2, 2], data: new Float32Array(12) } });
  const measured = await read();
  for (const part of ['compute_input', 'compute_infer', 'compute_output']) {
    expect(measured[part]!.count).toBe(1);
    expect(measured[part]!.ns).toBeGreaterThan(0);
  }
});
