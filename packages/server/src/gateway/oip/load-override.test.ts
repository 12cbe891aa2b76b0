import { expect, test } from 'vitest';
import { DeploymentSettings } from '@skein/api';
import { loadOverride } from './load-override.ts';

const CURRENT = DeploymentSettings.parse({ replicas: { min: 2, max: 4 } });
const override = (config: unknown, current?: DeploymentSettings) =>
  loadOverride('simple', { config: JSON.stringify(config) }, current);

test('a load without a config changes nothing', () => {
  expect(loadOverride('simple', {}, CURRENT)).toEqual({ settings: {} });
  expect(override({}).settings).toEqual({});
});

test.each([
  // As Triton's own example sends it: a number as text.
  [{ max_batch_size: '16' }, { batching: { maxRows: 16 } }],
  [{ max_batch_size: 0 }, { batching: { maxRows: 1 } }],
  [{ instance_group: [{ count: 1, kind: 'KIND_CPU' }] }, { replicas: { min: 1, max: 1 } }],
  [{ instance_group: [{ count: 2 }, { count: 3, gpus: [] }] }, { replicas: { min: 2, max: 5 } }],
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
  [{ instance_group: [{ kind: 'KIND_GPU' }] }, 'instance_group.kind'],
  [{ instance_group: [{ rate_limiter: { priority: 2 } }] }, 'instance_group.rate_limiter'],
  [{ dynamic_batching: { preferred_batch_size: [4] } }, 'dynamic_batching.preferred_batch_size'],
  [{ version_policy: { all: {} } }, 'version_policy.all'],
  [{ version_policy: { specific: { versions: [1, 2] } } }, 'several versions'],
  [{ version_policy: { latest: { num_versions: 2 } } }, 'several versions'],
  [{ backend: 'python' }, 'backend must be "onnxruntime"'],
  [{ sequence_batching: { direct: {} } }, 'the field sequence_batching'],
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
