/**
 * The OpenAPI 3.1 document of a node, from the endpoint table. What a reader needs to act on an
 * error is in it too: every answer lists its codes.
 */
import { COMMON_ERRORS, parametersOf, type Endpoint } from './endpoint.ts';
import { ENDPOINTS } from './endpoints.ts';
import { ERRORS, type ErrorCode } from './errors.ts';
import { createSchemaCollector, type JsonSchema, type SchemaCollector } from './json-schema.ts';
import {
  OPEN_INFERENCE_PATHS,
  OPEN_INFERENCE_SCHEMAS,
  type ProtocolPath,
} from './open-inference.ts';

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: Readonly<Record<string, unknown>>;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly description?: string;
  readonly parameters?: readonly ParameterObject[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

interface ParameterObject {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
  readonly style?: 'deepObject';
  readonly explode?: boolean;
}

const TAGS = [
  { name: 'Deployments', description: 'Deployments, their rollouts, settings and history.' },
  { name: 'Models', description: 'Immutable versions, stored by digest.' },
  { name: 'Runs', description: 'Training runs, their metrics and their lineage.' },
  { name: 'Jobs', description: 'Durable work in isolation, and its workers.' },
  { name: 'Artifacts', description: 'Inputs and outputs of jobs, by content.' },
  { name: 'Node', description: 'The node itself.' },
  { name: 'Keys', description: 'Who may call.' },
  { name: 'Inference', description: 'Open Inference Protocol, version 2.' },
];

/** @param version of Skein. */
export function createOpenApiDocument(version: string): OpenApiDocument {
  const collector = createSchemaCollector();
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const [id, endpoint] of Object.entries<Endpoint>(ENDPOINTS)) {
    const item = (paths[endpoint.path] ??= {});
    item[endpoint.method.toLowerCase()] = operationOf(id, endpoint, collector);
  }
  for (const row of OPEN_INFERENCE_PATHS) {
    const item = (paths[row.path] ??= {});
    item[row.method] = protocolOperationOf(row);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Skein',
      version,
      description:
        'One node that serves ONNX models inside a latency objective. A readable version of this document is at /docs.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: TAGS,
    // On loopback a node is open by default; beyond it a key is required.
    security: [{ key: [] }, {}],
    paths,
    components: {
      schemas: {
        ...collector.components,
        ...OPEN_INFERENCE_SCHEMAS,
        Error: ERROR_SCHEMA,
      },
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: '`skein keys create` makes one.' },
      },
    },
  };
}

const ERROR_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'The body of every refusal and failure.',
  properties: {
    error: { type: 'string', description: 'What happened, with the offending value.' },
    code: { type: 'string', enum: Object.keys(ERRORS) },
    fix: { type: 'string', description: 'What to do.' },
    retryAfterMs: {
      type: 'number',
      description: 'When the same request may succeed, in milliseconds from now.',
    },
  },
  required: ['error', 'code', 'fix'],
};

function operationOf(id: string, endpoint: Endpoint, collector: SchemaCollector): OperationObject {
  const parameters = [
    ...parametersIn('path', endpoint.params, collector),
    ...parametersIn('query', endpoint.query, collector),
  ];
  const scope = `Scope: \`${endpoint.scope}\`.`;
  return {
    operationId: id,
    summary: endpoint.summary,
    tags: [endpoint.group],
    description: endpoint.description === undefined ? scope : `${endpoint.description}\n\n${scope}`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBodyOf(endpoint, collector),
    responses: {
      [endpoint.status]: successOf(endpoint, collector),
      ...errorResponses([...endpoint.errors, ...COMMON_ERRORS]),
    },
  };
}

function parametersIn(
  place: 'path' | 'query',
  schema: Endpoint['params'],
  collector: SchemaCollector,
): ParameterObject[] {
  if (schema === undefined) return [];
  const json = collector.schemaOf(schema, 'input');
  return Object.entries(json.properties ?? {}).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: json.required?.includes(name) ?? false,
    ...(description === undefined ? {} : { description }),
    schema: property,
    ...(property.type === 'object' ? { style: 'deepObject' as const, explode: true } : {}),
  }));
}

function requestBodyOf(
  endpoint: Endpoint,
  collector: SchemaCollector,
): Pick<OperationObject, 'requestBody'> {
  if (endpoint.upload !== undefined) {
    return { requestBody: { required: true, content: { [endpoint.upload]: {} } } };
  }
  if (endpoint.body === undefined) return {};
  const schema = collector.schemaOf(endpoint.body, 'input');
  const { body: example } = endpoint.example;
  return {
    requestBody: { required: true, content: { 'application/json': { schema, example } } },
  };
}

function successOf(endpoint: Endpoint, collector: SchemaCollector): unknown {
  if (endpoint.events !== undefined) {
    const schema = collector.schemaOf(endpoint.events, 'output');
    return {
      description: endpoint.eventsAre ?? 'A stream of events.',
      content: { 'text/event-stream': { schema } },
    };
  }
  if (endpoint.download !== undefined) {
    return { description: 'The content.', content: { [endpoint.download]: {} } };
  }
  if (endpoint.response === undefined) return { description: 'Done.' };
  const schema = collector.schemaOf(endpoint.response, 'output');
  return {
    description: endpoint.status === 201 ? 'Created.' : 'The answer.',
    content: { 'application/json': { schema } },
  };
}

/** One response per HTTP status, naming the codes that it may carry. */
function errorResponses(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const status = ERRORS[code].http;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const sorted = [...byStatus].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    sorted.map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${ERRORS[code].meaning}`).join('\n\n'),
        ...(group.some((code) => ERRORS[code].kind === 'load')
          ? {
              headers: {
                'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } },
              },
            }
          : {}),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    ]),
  );
}

function protocolOperationOf(row: ProtocolPath): OperationObject {
  const parameters = parametersOf(row.path).map((name): ParameterObject => ({
    name,
    in: 'path',
    required: true,
    description: name === 'model' ? 'Name of the deployment.' : 'A version number, such as "1".',
    schema: { type: 'string' },
  }));
  const headers: ParameterObject[] =
    row.body === undefined
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
  const json = (name: string): unknown => ({ schema: { $ref: `#/components/schemas/${name}` } });
  const binary = row.body === undefined ? {} : { 'application/octet-stream': {} };
  return {
    operationId: row.operationId,
    summary: row.summary,
    tags: ['Inference'],
    ...(row.description === undefined ? {} : { description: row.description }),
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(row.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': json(row.body), ...binary },
          },
        }),
    responses: {
      200: {
        description: 'The answer.',
        ...(row.response === undefined
          ? {}
          : { content: { 'application/json': json(row.response), ...binary } }),
      },
      ...errorResponses([...row.errors, ...COMMON_ERRORS]),
    },
  };
}
