/** Bad requests to every endpoint of the management API: each answer has a code, a message and a fix. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ENDPOINTS,
  ERRORS,
  fillPath,
  type ErrorBody,
  type NodeEndpoint,
  type OperationId,
} from '@skein/api';
import { startManagement, type TestNode } from './testing/start-management.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startManagement();
});
afterAll(() => node?.close());

const rows = Object.entries(ENDPOINTS) as [OperationId, NodeEndpoint][];
const withBody = rows.filter(([, { body }]) => body !== undefined);
const pathOf = ({ path, example }: NodeEndpoint): string => fillPath(path, example?.params ?? {});

/** @returns the refusal; undefined when the request was accepted. */
async function refusalOf(
  method: string,
  path: string,
  init: RequestInit = {},
): Promise<ErrorBody | undefined> {
  const response = await fetch(node.url + path, { method, ...init });
  const text = await response.text();
  if (response.ok) return undefined;
  const refusal = JSON.parse(text) as ErrorBody;
  const row = ERRORS[refusal.code];
  expect(response.status).toBe(row.http);
  expect(row.kind).not.toBe('fault');
  expect(refusal.fix).toBe(row.fix);
  expect(refusal.error.length).toBeGreaterThan(10);
  expect(refusal.error.length).toBeLessThan(2000);
  expect(node.faults).toEqual([]);
  return refusal;
}

describe.each(withBody)('%s refuses', (_, endpoint) => {
  const path = pathOf(endpoint);
  const example = (endpoint.example?.body ?? {}) as Record<string, unknown>;
  const codeOf = async (body: string, headers: Record<string, string> = {}) =>
    (await refusalOf(endpoint.method, path, { body, headers }))?.code;

  it('a body that is not an object of JSON', async () => {
    for (const body of ['{', '\0', '{"a":1}}']) {
      expect(await codeOf(body)).toBe('BODY_NOT_JSON');
    }
    const most = endpoint.maxBodyBytes ?? 2 ** 20;
    const deep = '['.repeat(Math.min(5000, most));
    for (const body of ['null', '[]', '5', '"x"', '{"no-such-field":1}', deep]) {
      expect(await codeOf(body)).toBe('REQUEST_INVALID');
    }
    expect(await codeOf('{}', { 'content-encoding': 'zip' })).toBe('ENCODING_UNSUPPORTED');
    expect(await codeOf('x'.repeat(most + 1))).toBe('BODY_TOO_LARGE');
  });

  it.each(Object.keys(example))('values of the wrong type for %s', async (field) => {
    const types = ['object', 'string', 'number', 'boolean'].filter(
      (type) => type !== typeof example[field],
    );
    const values: Record<string, unknown> = { object: { no: 1 }, string: '\ud800', number: -1.5 };
    for (const type of types) {
      const value = values[type] ?? true;
      const body = JSON.stringify({ ...example, [field]: value });
      const refusal = await refusalOf(endpoint.method, path, { body });
      expect(refusal).toMatchObject({ code: 'REQUEST_INVALID' });
      expect(refusal?.error).toContain(`"${field}`);
    }
  });
});

it('refuses methods that an endpoint does not have, and unknown paths and fields', async () => {
  for (const [, endpoint] of rows) {
    const path = pathOf(endpoint);
    const known = rows
      .filter(([, each]) => each.path === endpoint.path)
      .map(([, each]) => each.method);
    for (const method of ['PROPFIND', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      if ((known as string[]).includes(method)) continue;
      expect(await refusalOf(method, path)).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    }
    const { method } = endpoint;
    const query = await refusalOf(method, `${path}?%zz=1`);
    expect(query).toMatchObject({ code: 'REQUEST_INVALID' });
    const beyond = await refusalOf(method, `${path}/more/%zz`);
    expect(beyond).toMatchObject({ code: 'ROUTE_UNKNOWN' });
  }
}, 60_000);
