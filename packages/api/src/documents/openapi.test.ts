import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { errorsOf, parametersOf, type NodeEndpoint } from '../endpoint.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { ERRORS } from '../errors.ts';
import { createOpenApiDocument } from './node-openapi.ts';

const document = createOpenApiDocument('1.2.3');

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1 by an independent validator', async () => {
    const validator = new Validator();
    const result = await validator.validate(JSON.parse(JSON.stringify(document)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('names only formats that JSON Schema has', () => {
    // An example may have a field of its own with this name.
    const schemas = JSON.stringify(document, (key, value) => (key === 'example' ? '' : value));
    const named = schemas.matchAll(/"format":"([^"]*)"/g);
    const known = new Set(['date-time', 'uri']);
    expect([...named].map(([, format]) => format).filter((each) => !known.has(each!))).toEqual([]);
  });

  it('has every endpoint of the table, with its parameters and its codes', () => {
    for (const [id, endpoint] of Object.entries<NodeEndpoint>(ENDPOINTS)) {
      const operation = document.paths[endpoint.path]?.[endpoint.method.toLowerCase()];
      expect(operation?.operationId).toBe(id);
      const inPath = operation?.parameters?.filter((p) => p.in === 'path').map((p) => p.name) ?? [];
      expect(inPath).toEqual(parametersOf(endpoint.path));
      const text = JSON.stringify(operation?.responses);
      for (const code of errorsOf(endpoint)) {
        expect(text).toContain(`\`${code}\`: ${ERRORS[code].meaning}`);
      }
    }
  });

  it.each([
    ['/api/v1/jobs', 'post', ['BODY_NOT_JSON', 'BODY_TOO_SLOW', 'BODIES_TOO_LARGE']],
    ['/api/v1/artifacts', 'put', ['ENCODING_UNSUPPORTED', 'BODIES_TOO_LARGE', 'ARTIFACT_QUOTA']],
    ['/api/v1/events', 'get', ['QUOTA_EXCEEDED']],
    ['/v2/repository/index', 'post', ['BODY_NOT_JSON', 'ENCODING_UNSUPPORTED']],
  ])('documents the refusals of the body or the stream of %s', (path, method, codes) => {
    const responses = Object.entries(document.paths[path]![method]!.responses);
    for (const code of codes) {
      const status = String(ERRORS[code as keyof typeof ERRORS].http);
      const [, found] = responses.find(([each]) => each === status) ?? [];
      expect(JSON.stringify(found)).toContain(`\`${code}\``);
    }
  });

  it('requires a body only where the node does, and documents the location of a created thing', () => {
    const operation = (path: string, method: string) => document.paths[path]![method]!;
    const isRequired = (path: string) =>
      (operation(path, 'post').requestBody as { required: boolean }).required;
    expect(isRequired('/api/v1/jobs')).toBe(true);
    expect(isRequired('/api/v1/jobs/{id}/cancel')).toBe(false);
    expect(operation('/api/v1/federations', 'post').responses['201']).toMatchObject({
      headers: { Location: { schema: { type: 'string' } } },
    });
  });

  it('resolves every reference', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref);
    expect(refs.length).toBeGreaterThan(50);
    for (const ref of refs) {
      const name = ref?.replace('#/components/schemas/', '') ?? '';
      expect(document.components.schemas).toHaveProperty([name]);
    }
  });

  it('keeps fields that are called id', () => {
    expect(document.components.schemas['Key']?.properties).toHaveProperty('id');
  });
});
