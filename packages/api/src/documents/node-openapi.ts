/** The OpenAPI document of a node: its management API and the Open Inference Protocol. */
import { COMMON_ERRORS, parametersOf } from '../endpoint.ts';
import { ENDPOINTS, groupOf } from '../endpoints.ts';
import { PROTOCOL_BODIES, protocolParameters } from '../open-inference/examples.ts';
import { OPEN_INFERENCE_PATHS, protocolErrorsOf } from '../open-inference/paths.ts';
import { OPEN_INFERENCE_SCHEMAS } from '../open-inference/schemas.ts';
import {
  errorResponses,
  openApiOf,
  type OpenApiDocument,
  type OperationObject,
  type ParameterObject,
} from './openapi.ts';
import type { ProtocolPath } from '../open-inference/extensions.ts';

const TAGS = [
  { name: 'Deployments', description: 'Deployments, their rollouts, settings and history.' },
  { name: 'Models', description: 'Immutable versions, stored by digest.' },
  { name: 'Runs', description: 'Training runs, their metrics and their lineage.' },
  { name: 'Jobs', description: 'Durable work in isolation, and its workers.' },
  { name: 'Artifacts', description: 'Inputs and outputs of jobs, by content.' },
  { name: 'Federations', description: 'Training at sites that keep their rows.' },
  { name: 'Node', description: 'The node itself.' },
  { name: 'Keys', description: 'Who may call.' },
  { name: 'Inference', description: 'Open Inference Protocol, version 2.' },
];

/** @param version of Skein. */
export function createOpenApiDocument(version: string): OpenApiDocument {
  const operations: Record<string, Record<string, OperationObject>> = {};
  for (const row of OPEN_INFERENCE_PATHS) {
    (operations[row.path] ??= {})[row.method] = protocolOperationOf(row);
  }
  const document = openApiOf(ENDPOINTS, {
    title: 'Skein',
    version,
    description:
      'One node that serves ONNX models inside a latency objective. A readable version of this document is at /docs.',
    keys: '`skein keys create` makes one.',
    commonErrors: COMMON_ERRORS,
    tags: TAGS,
    tagOf: groupOf,
    operations,
    schemas: OPEN_INFERENCE_SCHEMAS,
  });
  // A node on this machine may need no key.
  return { ...document, security: [{ key: [] }, {}] };
}

function protocolOperationOf(row: ProtocolPath): OperationObject {
  const examples = protocolParameters(row);
  const parameters = parametersOf(row.path).map((name): ParameterObject => ({
    name,
    in: 'path',
    required: true,
    description: name === 'model' ? 'Name of the deployment.' : 'A version number, such as "1".',
    schema: { type: 'string' },
    ...(examples[name] === undefined ? {} : { example: examples[name] }),
  }));
  const carriesTensors = row.body === 'InferRequest';
  const headers: ParameterObject[] = !carriesTensors
    ? []
    : [
        {
          name: 'Skein-Timeout-Ms',
          in: 'header',
          description: 'Milliseconds after which the caller no longer needs the answer.',
          schema: { type: 'number', exclusiveMinimum: 0 },
        },
        {
          name: 'Inference-Header-Content-Length',
          in: 'header',
          description: 'Bytes of the JSON part of a binary body.',
          schema: { type: 'integer', minimum: 0 },
        },
      ];
  const all = [...parameters, ...headers];
  const json = (name: string): object => ({ schema: { $ref: `#/components/schemas/${name}` } });
  const example = PROTOCOL_BODIES[row.body ?? ''];
  const binary = carriesTensors ? { 'application/octet-stream': {} } : {};
  const scope =
    row.scope === 'none'
      ? 'Needs no key.'
      : `Scope: ${row.scope.replaceAll(/\w+/g, '`$&`').replace('`or`', 'or')}.`;
  return {
    operationId: row.operationId,
    summary: row.summary,
    tags: ['Inference'],
    description: row.description === undefined ? scope : `${row.description}\n\n${scope}`,
    ...(row.scope === 'none' ? { security: [] } : {}),
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(row.body === undefined
      ? {}
      : {
          requestBody: {
            required: carriesTensors,
            content: {
              'application/json': {
                ...json(row.body),
                ...(example === undefined ? {} : { example }),
              },
              ...binary,
            },
          },
        }),
    responses: {
      200: {
        description: 'The answer.',
        ...(row.response === undefined
          ? {}
          : { content: { 'application/json': json(row.response), ...binary } }),
      },
      ...errorResponses([...protocolErrorsOf(row), ...COMMON_ERRORS]),
    },
  };
}
