/**
 * The content of the reference pages about the API, independent of their layout: `/docs` renders it
 * as HTML, `docs/reference/` as Markdown. Both use this, so they cannot disagree.
 */
import { COMMON_ERRORS, errorsOf, fillPath, type NodeEndpoint, statusOf } from '../endpoint.ts';
import { ENDPOINTS, groupOf } from '../endpoints.ts';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { ErrorRow } from '../errors/row.ts';
import { typeText, variantsOf, type Field } from '../resources/fields.ts';
import { createSchemaCollector, type JsonSchema } from './json-schema.ts';
import { FILE_REQUEST, PROTOCOL_BODIES, protocolParameters } from '../open-inference/examples.ts';
import { OPEN_INFERENCE_PATHS, protocolErrorsOf } from '../open-inference/paths.ts';
import { OPEN_INFERENCE_SCHEMAS } from '../open-inference/schemas.ts';

export interface OperationDoc {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly scope: string;
  readonly pathFields: readonly Field[];
  readonly queryFields: readonly Field[];
  readonly bodyFields: readonly Field[];
  /** For example `200 Deployment` or `204`. */
  readonly answer: string;
  readonly errors: readonly ErrorCode[];
  readonly curl: string;
}

export interface TypeDoc {
  readonly name: string;
  readonly description: string;
  /** More than one for a union. */
  readonly variants: readonly (readonly Field[])[];
}

export interface Documentation {
  readonly groups: readonly {
    readonly name: string;
    readonly operations: readonly OperationDoc[];
  }[];
  readonly types: readonly TypeDoc[];
  readonly commonErrors: readonly ErrorCode[];
}

/** @param origin the node that the examples call, such as `http://127.0.0.1:4700`. */
export function createDocumentation(origin: string): Documentation {
  const collector = createSchemaCollector();
  /** Names of bodies. */
  const bodies = new Set<string>();
  const groups = new Map<string, OperationDoc[]>([
    ['Inference', OPEN_INFERENCE_PATHS.map((row) => protocolDoc(row, origin))],
  ]);
  for (const [id, endpoint] of Object.entries<NodeEndpoint>(ENDPOINTS)) {
    const fields = (schema: NodeEndpoint['body']): Field[] => {
      if (schema === undefined) return [];
      const json = collector.schemaOf(schema, 'input');
      const name = json.$ref === undefined ? undefined : typeText(json);
      return variantsOf(name === undefined ? json : (collector.components[name] ?? {})).flat();
    };
    const answer = endpoint.response ?? endpoint.events;
    const type = answer === undefined ? '' : answerText(collector.schemaOf(answer, 'output'));
    const group = groupOf(id);
    const operations = groups.get(group) ?? [];
    groups.set(group, operations);
    if (endpoint.body !== undefined)
      bodies.add(typeText(collector.schemaOf(endpoint.body, 'input')));
    operations.push({
      id,
      method: endpoint.method,
      path: endpoint.path,
      summary: endpoint.summary,
      description: endpoint.description ?? '',
      scope: endpoint.scope,
      pathFields: fields(endpoint.params),
      queryFields: fields(endpoint.query),
      bodyFields: fields(endpoint.body),
      answer: `${statusOf(endpoint)} ${successText(endpoint, type)}`.trim(),
      errors: errorsOf(endpoint),
      curl: curlOf(endpoint, origin),
    });
  }
  // Bodies are shown with their operation; the remaining types are parts of responses.
  const types = Object.entries({ ...collector.components, ...OPEN_INFERENCE_SCHEMAS })
    .filter(([name]) => !bodies.has(name))
    .map(([name, schema]) => ({
      name,
      description: schema.description ?? '',
      variants: variantsOf(schema),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    groups: [...groups].map(([name, operations]) => ({ name, operations })),
    types,
    commonErrors: COMMON_ERRORS,
  };
}

function successText({ events, download }: NodeEndpoint, type: string): string {
  if (download !== undefined) return download;
  return events === undefined ? type : `stream of ${type}`;
}

/** `{ deployments: Deployment[] }` for an object without a name of its own. */
function answerText(schema: JsonSchema): string {
  if (schema.$ref !== undefined || schema.properties === undefined) return typeText(schema);
  const fields = Object.entries(schema.properties).map(([k, v]) => `${k}: ${typeText(v)}`);
  return `{ ${fields.join(', ')} }`;
}

function protocolDoc(row: (typeof OPEN_INFERENCE_PATHS)[number], origin: string): OperationDoc {
  const url = origin + fillPath(row.path, protocolParameters(row));
  return {
    id: row.operationId,
    method: row.method.toUpperCase(),
    path: row.path,
    summary: row.summary,
    description: row.description ?? '',
    scope: row.scope,
    pathFields: [],
    queryFields: [],
    bodyFields: variantsOf(OPEN_INFERENCE_SCHEMAS[row.body ?? ''] ?? {}).flat(),
    answer: `200 ${row.response ?? ''}`.trim(),
    errors: protocolErrorsOf(row),
    curl: protocolCurl(row, url),
  };
}

function protocolCurl(
  { method, body }: (typeof OPEN_INFERENCE_PATHS)[number],
  url: string,
): string {
  if (body === 'InferRequest') return `curl ${FILE_REQUEST} ${url}`;
  const example = body === undefined ? undefined : PROTOCOL_BODIES[body];
  if (example !== undefined) return `curl ${url} -d '${JSON.stringify(example)}'`;
  return `curl ${method === 'post' ? '-X POST ' : ''}${url}`;
}

/** A command line that works unchanged on an open node. */
function curlOf(endpoint: NodeEndpoint, origin: string): string {
  const { method, path, example = {}, upload, events } = endpoint;
  const query = new URLSearchParams(example.query ?? {}).toString();
  const url = origin + fillPath(path, example.params ?? {}) + (query === '' ? '' : `?${query}`);
  const parts = ['curl'];
  if (events !== undefined) parts.push('-N');
  if (upload !== undefined) parts.push('-T', example.file ?? 'FILE');
  else if (method !== 'GET' && !(method === 'POST' && example.body !== undefined)) {
    parts.push('-X', method);
  }
  parts.push(/[?&]/.test(url) ? `'${url}'` : url);
  if (example.body !== undefined) parts.push('-d', `'${JSON.stringify(example.body)}'`);
  return parts.join(' ');
}

export interface ErrorDoc extends ErrorRow {
  readonly code: ErrorCode;
}

/** The error table in its own order. */
export const ERROR_DOCS: readonly ErrorDoc[] = (Object.keys(ERRORS) as ErrorCode[]).map((code) => ({
  code,
  ...ERRORS[code],
}));
