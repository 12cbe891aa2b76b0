/** The bodies and answers of the Open Inference Protocol, for the OpenAPI document. */
import type { JsonSchema } from '../documents/json-schema.ts';
import { EXTENSION_SCHEMAS } from './extensions.ts';

const DATATYPES =
  'BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BF16 FP32 FP64 BYTES'.split(' ');

const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const text: JsonSchema = { type: 'string' };
const texts: JsonSchema = { type: 'array', items: text };

const object = (properties: Record<string, JsonSchema>, required: string[]): JsonSchema => ({
  type: 'object',
  properties,
  required,
});

const parameters: JsonSchema = {
  type: 'object',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};
const datatype: JsonSchema = { type: 'string', enum: DATATYPES };
const data: JsonSchema = {
  type: 'array',
  items: {},
  description: 'Flat or nested, row-major; absent where the bytes follow the JSON.',
};
const tensor = (dimension: JsonSchema, properties: Record<string, JsonSchema>): JsonSchema =>
  object({ name: text, shape: { type: 'array', items: dimension }, datatype, ...properties }, [
    'name',
    'shape',
    'datatype',
  ]);

/** Parts of the configuration that follow Triton’s own description. */
const CONFIG_PART: JsonSchema = { type: 'object', additionalProperties: true };

const duration = ref('StatisticDuration');
const COMPUTE_STATISTICS = {
  compute_input: duration,
  compute_infer: duration,
  compute_output: duration,
};
const INFERENCE_STATISTICS = {
  success: duration,
  fail: duration,
  queue: duration,
  ...COMPUTE_STATISTICS,
  cache_hit: duration,
};

export const OPEN_INFERENCE_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  ...EXTENSION_SCHEMAS,
  ServerMetadata: object({ name: text, version: text, extensions: texts }, [
    'name',
    'version',
    'extensions',
  ]),
  Live: object({ live: { type: 'boolean' } }, ['live']),
  Ready: object({ ready: { type: 'boolean' } }, ['ready']),
  Accepting: object({ accepting: { type: 'boolean' } }, ['accepting']),
  ModelReady: object({ name: text, ready: { type: 'boolean' } }, ['ready']),
  MetadataTensor: tensor({ type: 'integer', description: '-1: any size.' }, {}),
  ModelMetadata: object(
    {
      name: text,
      versions: texts,
      platform: text,
      inputs: { type: 'array', items: ref('MetadataTensor') },
      outputs: { type: 'array', items: ref('MetadataTensor') },
    },
    ['name', 'platform', 'inputs', 'outputs'],
  ),
  ModelConfig: {
    ...object(
      {
        name: text,
        platform: text,
        backend: text,
        version_policy: CONFIG_PART,
        max_batch_size: { type: 'integer', description: 'Rows of one run; 0: not batched.' },
        input: { type: 'array', items: ref('ConfigTensor') },
        output: { type: 'array', items: ref('ConfigTensor') },
        instance_group: { type: 'array', items: CONFIG_PART },
        dynamic_batching: CONFIG_PART,
        parameters: CONFIG_PART,
        response_cache: CONFIG_PART,
      },
      ['name', 'platform', 'backend', 'max_batch_size', 'input', 'output'],
    ),
    description: 'Triton’s configuration of a model, with what holds here.',
  },
  ConfigTensor: object(
    {
      name: text,
      data_type: text,
      format: { type: 'string', enum: ['FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW'] },
      dims: {
        type: 'array',
        items: { type: 'integer' },
        description: 'Without the batch if max_batch_size is not 0; -1: any size.',
      },
    },
    ['name', 'data_type', 'dims'],
  ),
  Statistics: object({ model_stats: { type: 'array', items: ref('ModelStatistics') } }, [
    'model_stats',
  ]),
  ModelStatistics: object(
    {
      name: text,
      version: text,
      last_inference: { type: 'integer', description: 'Milliseconds since 1970; 0: never.' },
      inference_count: { type: 'integer', description: 'Rows.' },
      execution_count: { type: 'integer', description: 'Runs of the model.' },
      inference_stats: object(INFERENCE_STATISTICS, Object.keys(INFERENCE_STATISTICS)),
      batch_stats: {
        type: 'array',
        items: object({ batch_size: { type: 'integer' }, ...COMPUTE_STATISTICS }, [
          'batch_size',
          ...Object.keys(COMPUTE_STATISTICS),
        ]),
      },
    },
    [
      'name',
      'version',
      'last_inference',
      'inference_count',
      'execution_count',
      'inference_stats',
      'batch_stats',
    ],
  ),
  StatisticDuration: object({ count: { type: 'integer' }, ns: { type: 'integer' } }, [
    'count',
    'ns',
  ]),
  RepositoryIndex: {
    type: 'array',
    items: object(
      {
        name: text,
        version: text,
        state: { type: 'string', enum: ['READY', 'LOADING', 'UNAVAILABLE'] },
        reason: text,
      },
      ['name', 'version', 'state', 'reason'],
    ),
  },
  RepositoryLoad: object({ parameters: object({ config: text }, []) }, []),
  RequestTensor: tensor({ type: 'integer', minimum: 0 }, { parameters, data }),
  RequestedOutput: object({ name: text, parameters }, ['name']),
  InferRequest: object(
    {
      id: text,
      parameters,
      inputs: { type: 'array', items: ref('RequestTensor') },
      outputs: { type: 'array', items: ref('RequestedOutput') },
    },
    ['inputs'],
  ),
  ResponseTensor: tensor({ type: 'integer', minimum: 0 }, { parameters, data }),
  InferResponse: object(
    {
      id: text,
      model_name: text,
      model_version: text,
      parameters,
      outputs: { type: 'array', items: ref('ResponseTensor') },
    },
    ['model_name', 'outputs'],
  ),
};
