import { describe, expect, it } from 'vitest';
import { errorsOf, parametersOf, statusOf, type NodeEndpoint } from './endpoint.ts';
import { ENDPOINTS, groupOf } from './endpoints.ts';
import { ERRORS } from './errors.ts';

const keys = (schema: NodeEndpoint['body']): string[] => Object.keys(schema?.shape ?? {});

describe.each(Object.entries<NodeEndpoint>(ENDPOINTS))('%s', (id, endpoint) => {
  it('has a schema for each parameter of its path', () => {
    expect(keys(endpoint.params)).toEqual(parametersOf(endpoint.path));
  });

  it('has fields that the client can take side by side', () => {
    const all = [...keys(endpoint.params), ...keys(endpoint.query), ...keys(endpoint.body)];
    if (endpoint.upload !== undefined) all.push('content');
    expect(new Set(all).size).toBe(all.length);
  });

  it('has an example that is valid', () => {
    const { params, query, body, file } = endpoint.example ?? {};
    endpoint.params?.parse(params);
    endpoint.body?.parse(body);
    if (query !== undefined && endpoint.upload === undefined) endpoint.query?.parse(query);
    expect(file !== undefined).toBe(endpoint.upload !== undefined);
  });

  it('needs the scope admin when it changes something or shows the audit trail', () => {
    const own =
      ['Jobs', 'Artifacts', 'Data sets'].includes(groupOf(id)) && endpoint.scope === 'jobs';
    // Jobs, artifacts and data sets of the caller's own tenant have a scope of their own.
    if (own) return;
    // They prove themselves by the key of a device.
    if (id === 'enrolDevice' || id === 'reportDevice') return expect(endpoint.scope).toBe('public');
    const guarded = endpoint.method !== 'GET' || /keys|audit|tenants/.test(endpoint.path);
    expect(endpoint.scope).toBe(guarded ? 'admin' : 'read');
  });

  it('answers with a body unless its status is 204, and reads one only when its method allows it', () => {
    const answer = endpoint.response ?? endpoint.events ?? endpoint.download;
    expect(answer !== undefined).toBe(statusOf(endpoint) !== 204);
    if (endpoint.method === 'GET' || endpoint.method === 'DELETE') {
      expect(endpoint.body ?? endpoint.upload).toBeUndefined();
    }
    for (const code of errorsOf(endpoint)) expect(ERRORS).toHaveProperty(code);
  });
});

it('no two rows share method and path', () => {
  const routes = Object.values<NodeEndpoint>(ENDPOINTS).map(
    ({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`,
  );
  expect(new Set(routes).size).toBe(routes.length);
});
