import { create, toBinary, fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { DeploymentSettings } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { deployedModel } from '../../../testing/fake-inference.ts';
import { call } from '../../../testing/grpc-client.ts';
import { startGrpcFace } from '../../testing/grpc-face.ts';
import { send, startHttpFace } from '../../testing/http-face.ts';
import { GRPCInferenceService } from '../grpc/proto/inference.gen.ts';
import { ModelConfigSchema } from '../grpc/proto/model_config.gen.ts';
import { modelConfigJson, modelConfigOf } from './model-config.ts';

const image: Signature = {
  inputs: [{ name: 'data', type: 'float32', shape: ['batch', 3, 'height', 224] }],
  outputs: [{ name: 'prob', type: 'float32', shape: ['batch', 1000] }],
};
const densenet = deployedModel('densenet', {
  versions: ['2', '3'],
  version: '3',
  signature: image,
  maxBatchRows: 8,
  maxReplicas: 2,
  objectiveMs: 250,
  settings: DeploymentSettings.parse({ maxQueue: 64, threads: 2, cache: {} }),
});

test('a batched model has its dims without the batch, and its dynamic batching', () => {
  expect(modelConfigJson(densenet)).toEqual({
    name: 'densenet',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    default_model_filename: 'model.onnx',
    version_policy: { specific: { versions: [2, 3] } },
    max_batch_size: 8,
    input: [
      {
        name: 'data',
        data_type: 'TYPE_FP32',
        format: 'FORMAT_NCHW',
        dims: [3, -1, 224],
        is_shape_tensor: false,
        allow_ragged_batch: false,
        optional: false,
      },
    ],
    output: [
      {
        name: 'prob',
        data_type: 'TYPE_FP32',
        dims: [1000],
        label_filename: '',
        is_shape_tensor: false,
      },
    ],
    instance_group: [{ name: 'densenet', count: 2, kind: 'KIND_CPU' }],
    dynamic_batching: {
      preferred_batch_size: [],
      max_queue_delay_microseconds: 0,
      preserve_ordering: false,
      default_queue_policy: {
        timeout_action: 'REJECT',
        default_timeout_microseconds: 250_000,
        allow_timeout_override: true,
        max_queue_size: 64,
      },
    },
    parameters: { intra_op_thread_count: { string_value: '2' } },
    response_cache: { enable: true },
  });
});

test('a model that is not batched has its whole shapes, and no dynamic batching', () => {
  const json = modelConfigJson({ ...densenet, maxBatchRows: 1 });
  expect(json).toMatchObject({
    max_batch_size: 0,
    input: [{ dims: [-1, 3, -1, 224], format: 'FORMAT_NONE' }],
    output: [{ dims: [-1, 1000] }],
  });
  expect(json).not.toHaveProperty('dynamic_batching');
});

test.each([
  [[null, 224, 224, 3], 'FORMAT_NHWC'],
  [[null, 1, 28, 28], 'FORMAT_NCHW'],
  [[null, 28, 28, 2], 'FORMAT_NONE'],
  [[null, 3], 'FORMAT_NONE'],
])('an input of shape %j has the format %s', (shape, format) => {
  const inputs = [{ name: 'x', type: 'uint8' as const, shape }];
  const model = { ...densenet, signature: { inputs, outputs: [] } };
  expect(modelConfigJson(model)).toMatchObject({ input: [{ format, data_type: 'TYPE_UINT8' }] });
});

test.each([
  ['string', 'TYPE_STRING'],
  ['bool', 'TYPE_BOOL'],
  ['int64', 'TYPE_INT64'],
  ['float16', 'TYPE_FP16'],
  ['bfloat16', 'TYPE_BF16'],
] as const)('%s is %s', (type, name) => {
  const outputs = [{ name: 'y', type, shape: [] }];
  const model = { ...densenet, signature: { inputs: [], outputs } };
  expect(modelConfigJson(model)).toMatchObject({ output: [{ data_type: name }] });
});

test('both faces serve it, by version too, to readers only', async () => {
  const { port, inference } = await startHttpFace();
  inference.models.set('densenet', densenet);
  for (const path of ['densenet/config', 'densenet/versions/2/config']) {
    expect((await send(port, `/v2/models/${path}`)).json).toEqual(modelConfigJson(densenet));
  }
  expect(await send(port, '/v2/models/ghost/config')).toMatchObject({
    status: 404,
    json: { error: "Request for unknown model: 'ghost' is not found.", code: 'MODEL_UNKNOWN' },
  });
  const composed = await send(port, '/v2/models/two/config');
  expect(composed.json).toMatchObject({ platform: 'ensemble', backend: '', max_batch_size: 0 });

  const { client } = await startGrpcFace({ inference });
  const answer = await call(client, GRPCInferenceService.method.modelConfig, { name: 'densenet' });
  const sent = toBinary(ModelConfigSchema, create(ModelConfigSchema, modelConfigOf(densenet)));
  expect(answer.config).toEqual(fromBinary(ModelConfigSchema, sent));
});
