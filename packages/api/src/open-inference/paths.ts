/**
 * The paths of the Open Inference Protocol (version 2, HTTP) for the OpenAPI document. They are
 * described by hand: Skein does not own the protocol, and the node parses tensors without schemas.
 *
 * https://github.com/kserve/open-inference-protocol, with Triton's binary tensor data extension.
 */
import { BODY_ERRORS } from '../endpoint.ts';
import { LOAD_ERRORS } from '../endpoints/deployments.ts';
import type { ErrorCode } from '../errors.ts';
import { EXTENSION_PATHS, type ProtocolPath } from './extensions.ts';

/** Codes of a path beyond those that any endpoint may answer with. Each POST may have a body in JSON. */
export function protocolErrorsOf({ method, errors = [] }: ProtocolPath): readonly ErrorCode[] {
  return method === 'post' ? [...BODY_ERRORS, ...errors] : errors;
}

const INFER_ERRORS = [
  'HEADER_LENGTH_INVALID',
  'INPUT_UNKNOWN',
  'INPUT_MISSING',
  'INPUT_SHAPE',
  'INPUT_DATATYPE',
  'INPUT_DATA',
  'INPUT_NOT_FINITE',
  'INPUT_REJECTED',
  'REQUEST_QUARANTINED',
  'RUN_TIMEOUT',
  'MODEL_MEMORY',
  'TENANT_HELD',
  'OUTPUT_UNKNOWN',
  'MODEL_UNKNOWN',
  'VERSION_UNKNOWN',
  'QUOTA_EXCEEDED',
  'DEADLINE_UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'QUEUE_FULL',
  'NO_REPLICA',
  'REPLICA_LOST',
  'REGION_UNKNOWN',
] as const satisfies readonly ErrorCode[];

const UNKNOWN = ['MODEL_UNKNOWN', 'VERSION_UNKNOWN'] as const satisfies readonly ErrorCode[];

const INFER_DESCRIPTION =
  'Tensors travel as JSON, or raw after the JSON (binary tensor data extension: `Inference-Header-Content-Length` and `parameters.binary_data_size`). The deadline comes from `parameters.timeout` in microseconds or the header `Skein-Timeout-Ms`, else from the objective; `parameters.priority` 1 is the most urgent. An output may ask for `parameters.classification` (its highest values as `value:index:label`), and tensors may be in shared memory. `Retry-After` of a refusal gives the wait before a retry.';

/** The paths of a deployment, or of one version of it. */
function modelPaths(at: string, id: 'model' | 'version', what: string): ProtocolPath[] {
  const isModel = id === 'model';
  const extension = isModel ? ' (Triton’s model configuration extension)' : '';
  return [
    {
      method: 'get',
      path: at,
      operationId: `${id}Metadata`,
      scope: 'infer or read',
      summary: `Inputs and outputs of ${what}.`,
      response: 'ModelMetadata',
      errors: UNKNOWN,
    },
    {
      method: 'get',
      path: `${at}/config`,
      operationId: `${id}Config`,
      scope: 'infer or read',
      summary: `Configuration of ${what}${extension}.`,
      response: 'ModelConfig',
      errors: UNKNOWN,
    },
    {
      method: 'get',
      path: `${at}/ready`,
      operationId: `${id}Ready`,
      scope: 'none',
      summary: `Whether ${what} can take requests.`,
      response: 'ModelReady',
      errors: UNKNOWN,
    },
    {
      method: 'post',
      path: `${at}/infer`,
      operationId: isModel ? 'infer' : 'inferVersion',
      scope: 'infer',
      summary: isModel ? 'Run a deployment.' : 'Run one version of a deployment.',
      description: INFER_DESCRIPTION,
      body: 'InferRequest',
      response: 'InferResponse',
      errors: INFER_ERRORS,
    },
  ];
}

export const OPEN_INFERENCE_PATHS: readonly ProtocolPath[] = [
  {
    method: 'get',
    path: '/v2',
    operationId: 'serverMetadata',
    scope: 'none',
    summary: 'Name, version and extensions of the server.',
    response: 'ServerMetadata',
  },
  {
    method: 'get',
    path: '/v2/health/live',
    operationId: 'serverLive',
    scope: 'none',
    summary: 'Whether the process answers.',
    response: 'Live',
  },
  {
    method: 'get',
    path: '/v2/health/ready',
    operationId: 'serverReady',
    scope: 'none',
    summary: 'Whether every deployment can take requests.',
    response: 'Ready',
  },
  {
    method: 'get',
    path: '/v2/health/accepting',
    operationId: 'serverAccepting',
    scope: 'none',
    summary:
      'Whether the node takes requests: it has restored its deployments, and is not draining.',
    description:
      "Not of the protocol. For a platform's startup and readiness probes: unlike `ready` it stays 200 while one model has no replica, which a node shares with all its peers.",
    response: 'Accepting',
  },
  ...modelPaths('/v2/models/{model}', 'model', 'a deployment'),
  ...modelPaths('/v2/models/{model}/versions/{version}', 'version', 'one version'),
  {
    method: 'get',
    path: '/v2/models/{model}/stats',
    operationId: 'modelStatistics',
    scope: 'read',
    summary: 'Counts and durations of a deployment (Triton’s statistics extension).',
    response: 'Statistics',
    errors: UNKNOWN,
  },
  {
    method: 'get',
    path: '/v2/models/{model}/versions/{version}/stats',
    operationId: 'versionStatistics',
    scope: 'read',
    summary: 'Counts and durations of one version.',
    response: 'Statistics',
    errors: UNKNOWN,
  },
  {
    method: 'get',
    path: '/v2/models/stats',
    operationId: 'allStatistics',
    scope: 'read',
    summary: 'Counts and durations of every deployment.',
    response: 'Statistics',
  },
  {
    method: 'post',
    path: '/v2/repository/index',
    operationId: 'repositoryIndex',
    scope: 'read',
    summary: 'Every stored version and whether it serves (Triton’s repository extension).',
    response: 'RepositoryIndex',
  },
  {
    method: 'post',
    path: '/v2/repository/models/{model}/load',
    operationId: 'repositoryLoad',
    scope: 'admin',
    summary: 'Deploy the newest version of a model.',
    description:
      'An unloaded model gets its settings and its version back, or a version that was stored since. The parameter `config` is the JSON text of a Triton model configuration; of its fields, `max_batch_size`, `instance_group`, `dynamic_batching.default_queue_policy`, `response_cache`, `version_policy` and `parameters.intra_op_thread_count` override the settings, and others are refused by name.',
    body: 'RepositoryLoad',
    errors: [
      'REQUEST_INVALID',
      'MODEL_UNKNOWN',
      'DEPLOYMENT_INVALID',
      ...LOAD_ERRORS,
      'ROLLOUT_IN_PROGRESS',
    ],
  },
  {
    method: 'post',
    path: '/v2/repository/models/{model}/unload',
    operationId: 'repositoryUnload',
    scope: 'admin',
    summary:
      'Drain a deployment; its settings stay for the next load, until `undeploy` removes them.',
    errors: ['MODEL_UNKNOWN', 'DEPLOYMENT_INVALID'],
  },
  ...EXTENSION_PATHS,
];
