import { expect, test } from 'vitest';
import { DeploymentSettings } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { deployedModel } from '../../../testing/fake-inference.ts';
import { loadOverride } from './load-override.ts';
import { modelConfigJson } from './model-config.ts';

const CURRENT = DeploymentSettings.parse({ replicas: { min: 2, max: 4 } });
const override = (config: unknown, current?: DeploymentSettings) =>
  loadOverride('simple', { config: JSON.stringify(config) }, current);

test('a load without a config changes nothing', () => {
  expect(loadOverride('simple', {}, CURRENT)).toMatchObject({ settings: {}, ignored: [] });
  expect(override({}).settings).toEqual({});
});

test.each([
  // The form of Triton's own example: a number as text.
  [{ max_batch_size: '16' }, { batching: { maxRows: 16 } }],
  [{ max_batch_size: 0 }, { batching: { maxRows: 1 } }],
  [{ instance_group: [{ count: 1, kind: 'KIND_CPU' }] }, { replicas: { min: 1, max: 1 } }],
  [{ instance_group: [{ count: 2 }, { count: 3, gpus: [] }] }, { replicas: { min: 2, max: 5 } }],
  [{ instance_group: [{ kind: 'KIND_GPU' }] }, { replicas: { min: 1, max: 1 }, device: 'cuda' }],
  [{ model_transaction_policy: { decoupled: false }, sequence_batching: null }, {}],
  [{ response_cache: { enable: true } }, { cache: {} }],
  [{ response_cache: { enable: false } }, { cache: null }],
  [{ parameters: { intra_op_thread_count: { string_value: '2' } } }, { threads: 2 }],
  [
    {
      dynamic_batching: {
        preferred_batch_size: [],
        max_queue_delay_microseconds: 0,
        default_queue_policy: {
          timeout_action: 'REJECT',
          default_timeout_microseconds: '250000',
          allow_timeout_override: true,
          max_queue_size: 9,
        },
      },
    },
    { maxQueue: 9, objective: { latencyMs: 250 } },
  ],
  [{ name: 'simple', platform: 'onnxruntime_onnx', backend: 'onnxruntime', runtime: '' }, {}],
])('the config %j becomes settings', (config, settings) => {
  expect(override(config, CURRENT).settings).toEqual(settings);
});

test('a version policy chooses the version', () => {
  expect(override({ version_policy: { specific: { versions: [2] } } }).version).toBe('2');
  expect(override({ version_policy: { latest: { num_versions: 1 } } }).version).toBeUndefined();
});

test.each([
  [{ max_batch_size: 'many' }, 'max_batch_size must be a whole number'],
  [{ instance_group: [{ kind: 'KIND_MODEL' }] }, 'instance_group.kind'],
  [{ instance_group: [{ rate_limiter: { priority: 2 } }] }, 'instance_group.rate_limiter'],
  [{ dynamic_batching: { preserve_ordering: true } }, 'dynamic_batching.preserve_ordering'],
  [{ input: [{ name: 'x', reshape: { shape: [4] } }] }, 'the field input.reshape'],
  [{ model_transaction_policy: { decoupled: true } }, 'the field model_transaction_policy'],
  [{ version_policy: { all: {} } }, 'version_policy.all'],
  [{ version_policy: { specific: { versions: [1, 2] } } }, 'several versions'],
  [{ version_policy: { latest: { num_versions: 2 } } }, 'several versions'],
  [{ backend: 'python' }, 'backend must be "onnxruntime"'],
  [{ sequence_batching: { direct: {} } }, 'the field sequence_batching'],
  [{ sequence_batching: {} }, 'the field sequence_batching'],
  [{ ensemble_scheduling: { step: [] } }, 'the field ensemble_scheduling'],
  [{ parameters: { arena: { string_value: '1' } } }, 'parameters.arena'],
  [7, 'config must be an object'],
])('the config %j is refused', (config, why) => {
  expect(() => override(config)).toThrow(why);
  expect(() => override(config)).toThrow(/^failed to load 'simple': /);
});

test('a config that is not JSON, and files, are refused', () => {
  const wrong = '"parameters": {"config": {{"max_batch_size": "16"}}}';
  expect(() => loadOverride('simple', { config: wrong }, undefined)).toThrow(
    "failed to load 'simple': the parameter config is not JSON",
  );
  expect(() => loadOverride('simple', { 'file:1/model.onnx': 'aGk=' }, undefined)).toThrow(
    /failed to load.*"file:1\/model.onnx" is not supported/,
  );
});

const image: Signature = {
  inputs: [{ name: 'data', type: 'float32', shape: ['batch', 3, 'height', 224] }],
  outputs: [{ name: 'prob', type: 'float32', shape: ['batch', 1000] }],
};

test.each([true, false])(
  'the configuration that the node shows can be sent back (batched: %s)',
  (batched) => {
    const settings = DeploymentSettings.parse({ maxQueue: 64, threads: 2, cache: {} });
    const model = deployedModel('simple', {
      versions: ['3'],
      version: '3',
      signature: image,
      maxBatchRows: batched ? 8 : 1,
      maxReplicas: 2,
      objectiveMs: 250,
      settings,
    });
    const { version, settings: patch, check, ignored } = override(modelConfigJson(model), settings);
    expect(version).toBe('3');
    expect(patch).toEqual({
      batching: { maxRows: batched ? 8 : 1 },
      replicas: { min: 1, max: 2 },
      ...(batched ? { maxQueue: 64, objective: { latencyMs: 250 } } : {}),
      threads: 2,
      cache: {},
    });
    expect(() => check(image)).not.toThrow();
    expect(ignored).toEqual(['default_model_filename']);
  },
);

test('hints that have no effect are reported, with what Triton shows by default', () => {
  const config = {
    optimization: { priority: 'PRIORITY_DEFAULT', input_pinned_memory: { enable: true } },
    dynamic_batching: { preferred_batch_size: [4, 8], max_queue_delay_microseconds: 100 },
    model_warmup: [{ name: 'w', batch_size: 1, inputs: { x: { zero_data: true } } }],
    model_transaction_policy: { decoupled: false },
    batch_input: [],
    metric_tags: {},
  };
  expect(override(config)).toMatchObject({
    settings: {},
    ignored: [
      'optimization',
      'dynamic_batching.preferred_batch_size',
      'dynamic_batching.max_queue_delay_microseconds',
      'model_warmup',
    ],
  });
});

test.each([
  [{ name: 'data', data_type: 'TYPE_FP32', dims: [3, -1, 224] }, undefined],
  [{ name: 'data', data_type: 'TYPE_FP32', dims: ['-1', '3', '640', '224'] }, undefined],
  [{ name: 'data' }, undefined],
  [{ name: 'image' }, 'the model has no input "image"; the names are data'],
  [
    { name: 'data', data_type: 'TYPE_UINT8' },
    'input "data" is TYPE_FP32, but its config has "TYPE_UINT8"',
  ],
  [
    { name: 'data', dims: [1, -1, 224] },
    'has the shape [-1, 3, -1, 224], but its config has [1, -1, 224]',
  ],
  [{ name: 'data', dims: [3, 224] }, 'its config has [3, 224]'],
])('the input %j is compared with the model', (input, why) => {
  const { check } = override({ input: [input] });
  if (why === undefined) expect(() => check(image)).not.toThrow();
  else expect(() => check(image)).toThrow(why);
});
