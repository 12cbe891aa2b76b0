import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { parametersOf, type NodeEndpoint } from '../endpoint.ts';
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

  it('has every endpoint of the table, with its parameters and its codes', () => {
    for (const [id, endpoint] of Object.entries<NodeEndpoint>(ENDPOINTS)) {
      const operation = document.paths[endpoint.path]?.[endpoint.method.toLowerCase()];
      expect(operation?.operationId).toBe(id);
      const inPath = operation?.parameters?.filter((p) => p.in === 'path').map((p) => p.name) ?? [];
      expect(inPath).toEqual(parametersOf(endpoint.path));
      const text = JSON.stringify(operation?.responses);
      for (const code of endpoint.errors ?? []) {
        expect(text).toContain(`\`${code}\`: ${ERRORS[code].meaning}`);
      }
    }
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
