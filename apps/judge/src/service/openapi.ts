/** The OpenAPI description, generated from the rows of the API. */
import { z } from 'zod';
import type { Route } from './route.ts';

const ERROR = {
  type: 'object',
  required: ['error', 'code', 'fix'],
  properties: {
    error: { type: 'string', description: 'What happened, with the offending value.' },
    code: { type: 'string', description: 'docs/reference/errors.md lists them.' },
    fix: { type: 'string', description: 'What to do.' },
    retryAfterMs: { type: 'integer' },
  },
} as const;

export function openApiOf(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll('+}', '}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route, path);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Skein judge',
      version: '1',
      description: 'Problems in, submissions in, verdicts out. Keys: `skein-judge users add NAME`.',
    },
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR },
    },
    paths,
  };
}

function operationOf(route: Route, path: string): object {
  const { summary, access, parameters, body, status, answer } = route;
  const refusal = {
    description: 'Refused, with the code, the reason and the fix.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
  const content =
    typeof answer === 'string'
      ? { [answer]: { schema: { type: 'string' } } }
      : { 'application/json': { schema: schemaOf(answer, 'output') } };
  return {
    summary,
    security: access === 'public' ? [{}, { key: [] }] : [{ key: [] }],
    ...(access === 'admin' ? { description: 'For admins.' } : {}),
    parameters: Object.entries(parameters.shape).map(([name, schema]) => {
      const inPath = path.includes(`{${name}}`);
      return {
        name,
        in: inPath ? 'path' : 'query',
        required: inPath,
        schema: schemaOf(schema as z.ZodType, 'output'),
      };
    }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: { [status]: { description: 'Done.', content }, default: refusal },
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
