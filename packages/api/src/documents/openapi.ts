/**
 * The OpenAPI 3.1 document of a service, from its table of endpoints. What a reader needs to act on
 * an error is in it too: every answer lists its codes.
 */
import { errorsOf, statusOf, type Endpoint } from '../endpoint.ts';
import { ERRORS, type ErrorCode } from '../errors.ts';
import { createSchemaCollector, type JsonSchema, type SchemaCollector } from './json-schema.ts';

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
  readonly security?: OpenApiDocument['security'];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

export interface ParameterObject {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
  readonly style?: 'deepObject';
  readonly explode?: boolean;
  readonly example?: string;
}

/** The contents of a document around its endpoints. */
export interface ServiceDescription {
  readonly title: string;
  /** Version of the service. */
  readonly version: string;
  readonly description: string;
  /** How a caller gets a key. */
  readonly keys: string;
  /** Codes that any endpoint may answer with. */
  readonly commonErrors: readonly ErrorCode[];
  readonly tags?: OpenApiDocument['tags'];
  readonly tagOf?: (id: string) => string;
  /** Operations that are not in the table, by path and method. */
  readonly operations?: OpenApiDocument['paths'];
  readonly schemas?: Readonly<Record<string, JsonSchema>>;
}

export function openApiOf(
  endpoints: Readonly<Record<string, Endpoint>>,
  service: ServiceDescription,
): OpenApiDocument {
  const { title, version, description, keys, commonErrors, tags = [], tagOf } = service;
  const hasPublic = Object.values(endpoints).some(({ scope }) => scope === 'public');
  const collector = createSchemaCollector();
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const [id, endpoint] of Object.entries(endpoints)) {
    const item = (paths[endpoint.path.replace('+}', '}')] ??= {});
    const operationTags = tagOf === undefined ? [] : [tagOf(id)];
    const operation = operationOf(id, endpoint, operationTags, commonErrors, collector);
    item[endpoint.method.toLowerCase()] = operation;
  }
  return {
    openapi: '3.1.0',
    info: { title, version, description, license: LICENSE },
    tags,
    // A service without public calls may be open as a whole.
    security: hasPublic ? [{ key: [] }] : [{ key: [] }, {}],
    paths: { ...paths, ...service.operations },
    components: {
      schemas: { ...collector.components, ...service.schemas, Error: ERROR_SCHEMA },
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: keys } },
    },
  };
}

const LICENSE = { name: 'Apache-2.0', identifier: 'Apache-2.0' };

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

function operationOf(
  id: string,
  endpoint: Endpoint,
  tags: readonly string[],
  commonErrors: readonly ErrorCode[],
  collector: SchemaCollector,
): OperationObject {
  const parameters = [
    ...parametersIn('path', endpoint.params, endpoint.example?.params, collector),
    ...parametersIn('query', endpoint.query, endpoint.example?.query, collector),
  ];
  const scope = `Scope: \`${endpoint.scope}\`.`;
  return {
    operationId: id,
    summary: endpoint.summary,
    tags,
    description: endpoint.description === undefined ? scope : `${endpoint.description}\n\n${scope}`,
    ...(endpoint.scope === 'public' ? { security: [{}, { key: [] }] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBodyOf(endpoint, collector),
    responses: {
      [statusOf(endpoint)]: successOf(endpoint, collector),
      ...errorResponses([...errorsOf(endpoint), ...commonErrors]),
    },
  };
}

function parametersIn(
  place: 'path' | 'query',
  schema: Endpoint['params'],
  examples: Readonly<Record<string, string>> | undefined,
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
    ...(examples?.[name] === undefined ? {} : { example: examples[name] }),
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
  const example = endpoint.example?.body;
  const content = { schema, ...(example === undefined ? {} : { example }) };
  // One whose fields all have defaults may be left out.
  const required = !endpoint.body.safeParse({}).success;
  return { requestBody: { required, content: { 'application/json': content } } };
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
  const { location } = endpoint;
  return {
    description: endpoint.status === 201 ? 'Created.' : 'The answer.',
    ...(location === undefined
      ? {}
      : {
          headers: {
            Location: { description: `\`${location}\``, schema: { type: 'string' } },
          },
        }),
    content: { 'application/json': { schema } },
  };
}

/** One response per HTTP status, naming the codes that it may carry. */
export function errorResponses(codes: readonly ErrorCode[]): Record<string, unknown> {
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
