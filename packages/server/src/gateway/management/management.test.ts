/** Every endpoint over real HTTP: its effect, its refusals, and its audit entries. */
import { connect } from 'node:net';
import {
  createClient,
  ENDPOINTS,
  fillPath,
  statusOf,
  SkeinError,
  type Client,
  type NodeEndpoint,
  type ErrorBody,
  type OperationId,
} from '@skein/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { populate } from './testing/populate.ts';
import { onnxFile, startManagement, type TestNode } from './testing/start-management.ts';

let node: TestNode;
let client: Client;

/** Starts a node for each test of the block, or for the block: most of the time of these tests is the start. */
function startForEach(
  scope: 'test' | 'block',
  options?: Parameters<typeof startManagement>[0],
): void {
  const [before, after] = scope === 'test' ? [beforeEach, afterEach] : [beforeAll, afterAll];
  before(async () => {
    node = await startManagement(options);
    client = createClient({ url: node.url });
  });
  after(() => node.close());
}

async function failure(promise: Promise<unknown>): Promise<SkeinError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SkeinError) return error;
  throw new Error(`Not a SkeinError: ${String(error)}`);
}

/** A raw request: the client would reject some of them. */
async function send(
  method: string,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; body: ErrorBody }> {
  const response = await fetch(node.url + path, { method, ...init });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? ({} as ErrorBody) : (JSON.parse(text) as ErrorBody),
  };
}

const rows = Object.entries(ENDPOINTS) as [OperationId, NodeEndpoint][];
const operations = rows.filter(([, endpoint]) => endpoint.events === undefined);

describe('each endpoint', () => {
  startForEach('test');

  // Both need sites, which join over WebSockets: packages/cli tests them.
  // And these need the key of a device: devices/device-registry.test.ts.
  const others = ['revokeSite', 'getStatistics', 'getDevice', 'removeDevice'];
  it.each(operations.filter(([id, { scope }]) => !others.includes(id) && scope !== 'public'))(
    '%s executes its example, and answers as its schema describes',
    async (id, endpoint) => {
      const made = await populate(client, id);
      if (id.endsWith('DeviceRollout')) {
        await client.rollOutToDevices({ model: 'risk', version: 4, share: 10 });
      }
      const { params = {}, query = {}, body, file } = endpoint.example ?? {};
      const own = id === 'revokeKey' || id === 'getKey' ? made.id : made.federation;
      const filled = { ...params, ...(own === undefined || !('id' in params) ? {} : { id: own }) };
      const search = new URLSearchParams(query).toString();
      const path = fillPath(endpoint.path, filled) + (search === '' ? '' : `?${search}`);
      const sent = body && 'modulePath' in body ? { ...body, modulePath: made.modulePath } : body;
      const [before] = await node.state.audit(1);
      const answer = await send(endpoint.method, path, {
        ...(sent === undefined ? {} : { body: JSON.stringify(sent) }),
        ...(file === undefined ? {} : { body: onnxFile(9) }),
      });
      expect(answer.body.error).toBeUndefined();
      expect(answer.status).toBe(statusOf(endpoint));
      expect(answer.headers.get('cache-control')).toBe('no-store');
      // Strict: the answer must have no field that the schema does not name.
      if (endpoint.response !== undefined) {
        expect(endpoint.response.parse(answer.body)).toEqual(answer.body);
      }
      const [newest] = await node.state.audit(1);
      if (endpoint.method === 'GET') expect(newest).toEqual(before);
      else expect(newest).toMatchObject({ action: id, actor: 'local', outcome: 'ok' });
      expect(node.faults).toEqual([]);
    },
  );
});

describe('what no endpoint accepts', () => {
  startForEach('block');

  it.each(operations)('%s refuses unknown fields', async (_, endpoint) => {
    const path = fillPath(endpoint.path, endpoint.example?.params ?? {});
    const inQuery = await send(endpoint.method, `${path}?nonsense=1`);
    expect(inQuery.body).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(inQuery.body.error).toContain('nonsense');
    if (endpoint.body === undefined) return;
    const body = JSON.stringify({ ...endpoint.example?.body, nonsense: 1 });
    const inBody = await send(endpoint.method, path, { body });
    expect(inBody.body).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(inBody.body.error).toContain('nonsense');
    expect((await send(endpoint.method, path, { body: '{"a":' })).body.code).toBe('BODY_NOT_JSON');
    expect((await send(endpoint.method, path, { body: '"\xff"' })).body.code).toBe(
      'REQUEST_INVALID',
    );
  });
});

describe('each endpoint with keys', () => {
  startForEach('block', { access: 'keys' });

  it.each(rows.filter(([, { scope }]) => scope !== 'public'))(
    '%s needs a key with its scope',
    async (_, endpoint) => {
      const path = fillPath(endpoint.path, endpoint.example?.params ?? {});
      const none = await send(endpoint.method, path);
      expect(none.body.code).toBe('KEY_MISSING');
      expect(none.headers.get('www-authenticate')).toContain('Bearer');
      const { secret } = await node.keys.create({ label: 'l', tenant: 't', scopes: ['infer'] });
      const headers = { authorization: `Bearer ${secret}` };
      const wrong = await send(endpoint.method, path, { headers });
      expect(wrong.body.code).toBe('SCOPE_MISSING');
      expect(wrong.body.error).toContain(endpoint.scope);
      expect(await node.state.audit(10)).toEqual([]);
    },
  );
});

describe('access', () => {
  startForEach('test', { access: 'keys' });

  it('the audit trail names the key, and the key works until it is revoked', async () => {
    const { secret } = await node.keys.create({ label: 'boss', tenant: 't', scopes: ['admin'] });
    const admin = createClient({ url: node.url, key: secret });
    const made = await admin.createKey({ label: 'web', tenant: 'shop', scopes: ['read'] });
    const reader = createClient({ url: node.url, key: made.secret });
    expect((await reader.getNode()).access).toBe('keys');
    expect((await failure(reader.listKeys())).code).toBe('SCOPE_MISSING');
    const { keys } = await admin.listKeys();
    expect(keys.map(({ label }) => label)).toEqual(['boss', 'web']);
    expect(JSON.stringify(keys)).not.toContain(made.secret);
    await admin.revokeKey({ id: made.id });
    expect((await failure(reader.getNode())).code).toBe('KEY_INVALID');
    const { entries } = await admin.listAudit();
    expect(entries.map(({ action, subject, actor }) => [action, subject, actor])).toEqual([
      ['revokeKey', made.id, keys[0]?.id],
      ['createKey', made.id, keys[0]?.id],
    ]);
    expect(JSON.stringify(entries)).not.toContain(made.secret);
  });
});

describe('changes that fail', () => {
  startForEach('test');

  it('are in the audit trail with their code', async () => {
    expect((await failure(client.undeploy({ name: 'ghost' }))).code).toBe('MODEL_UNKNOWN');
    const file = { name: 'bad', content: Uint8Array.of(1, 2, 3) };
    expect((await failure(client.importModel(file))).code).toBe('MODEL_FILE_INVALID');
    const { entries } = await client.listAudit();
    expect(entries.map(({ action, subject, outcome }) => [action, subject, outcome])).toEqual([
      ['importModel', 'bad', 'MODEL_FILE_INVALID'],
      ['undeploy', 'ghost', 'MODEL_UNKNOWN'],
    ]);
  });

  it('by an internal fault show the client an id, and log the details', async () => {
    await node.state.close();
    const answer = await send('GET', '/api/v1/history', { headers: { 'x-request-id': 'abc-1' } });
    expect(answer.status).toBe(500);
    expect(answer.body).toMatchObject({ code: 'INTERNAL' });
    expect(answer.body.error).toContain('abc-1');
    expect(JSON.stringify(node.faults)).toContain('abc-1');
  });
});

describe('deployments', () => {
  startForEach('test');

  it('are created, changed, rolled back and removed', async () => {
    await client.importModel({ name: 'risk', content: onnxFile(1) });
    await client.importModel({ name: 'risk', content: onnxFile(2) });
    await client.deploy({ name: 'risk', version: '1', settings: { cache: {}, threads: 2 } });
    const changed = await client.changeSettings({
      name: 'risk',
      settings: { cache: null, objective: { latencyMs: 80 } },
    });
    expect(changed.settings).toMatchObject({
      threads: 2,
      objective: { latencyMs: 80, quantile: 0.99 },
    });
    expect(changed.settings.cache).toBeUndefined();
    await client.deploy({ name: 'risk', version: '2' });
    expect((await client.rollback({ name: 'risk' })).targets[0]?.version).toBe('1');
    const { entries } = await client.deploymentHistory({ name: 'risk', kind: 'rolled-back' });
    expect(entries).toMatchObject([{ reason: 'asked for over the API', actor: 'local' }]);
    const hour = await client.deploymentTraffic({ name: 'risk' });
    expect([hour.range, hour.points.length]).toEqual(['hour', 60]);
    const day = await client.deploymentTraffic({ name: 'risk', range: 'day' });
    expect([day.range, day.points.length]).toEqual(['day', 9]);
    expect(day.points[0]).toMatchObject({ requestsPerSecond: 61 / 60, shedPerSecond: 1 / 60 });
    await client.undeploy({ name: 'risk' });
    expect((await failure(client.getDeployment({ name: 'risk' }))).code).toBe('MODEL_UNKNOWN');
    // Its history stays readable.
    expect((await client.deploymentHistory({ name: 'risk', limit: 1 })).entries[0]?.kind).toBe(
      'undeployed',
    );
    expect((await failure(client.deploymentHistory({ name: 'ghost' }))).code).toBe('MODEL_UNKNOWN');

    expect((await failure(client.deploymentTraffic({ name: 'ghost' }))).code).toBe('MODEL_UNKNOWN');
    expect((await send('GET', '/api/v1/deployments/risk/traffic?range=year')).status).toBe(400);
  });

  it('accept a missing body if every field has a default', async () => {
    const answer = await send('POST', '/api/v1/deployments/ghost/rollback');
    expect(answer.body.code).toBe('MODEL_UNKNOWN');
  });
});

describe('models', () => {
  startForEach('test');

  it('keep metadata from the query, and the same bytes are the same version', async () => {
    const metadata = { author: 'Ada & Söhne', 'trained on': '2030' };
    const first = await client.importModel({ name: 'risk', content: onnxFile(1), metadata });
    expect(first).toMatchObject({ version: '1', metadata });
    expect((await client.importModel({ name: 'risk', content: onnxFile(1) })).version).toBe('1');
    expect(
      (await client.importModel({ name: 'risk', content: new Blob([onnxFile(2)]) })).version,
    ).toBe('2');
    const { models } = await client.listModels();
    expect(models).toMatchObject([{ name: 'risk', versions: ['1', '2'], deployed: false }]);
    await client.removeVersion({ name: 'risk', version: '1' });
    const { versions } = await client.listVersions({ name: 'risk' });
    expect(versions.map(({ version }) => version)).toEqual(['2']);
    expect((await failure(client.listVersions({ name: 'ghost' }))).code).toBe('MODEL_UNKNOWN');
  });

  it('report a file that is too large in the answer, not by a reset', async () => {
    const content = new Uint8Array(8 * 1024 * 1024);
    const error = await failure(client.importModel({ name: 'big', content }));
    expect(error.code).toBe('BODY_TOO_LARGE');
  });

  it('of a client that stops sending are rejected, and nothing of them is left', async () => {
    await node.close();
    node = await startManagement({ limits: { bodyTimeoutMs: 50 } });
    const { port } = new URL(node.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'PUT /api/v1/models/slow/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nabc',
    );
    const text = await new Promise<string>((resolve) => {
      let received = '';
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        if (received.includes('}')) resolve(received);
      });
    });
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(text).toContain('BODY_TOO_SLOW');
    expect(await node.registry.versions()).toEqual([]);
  });

  it('get 100 Continue if they ask for it', async () => {
    const { port } = new URL(node.url);
    const file = onnxFile(4);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `PUT /api/v1/models/polite/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: ${file.length}\r\n\r\n`,
    );
    const text = await new Promise<string>((resolve) => {
      let received = '';
      let sent = false;
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        if (!sent && received.startsWith('HTTP/1.1 100')) {
          sent = true;
          socket.write(file);
        }
        if (received.includes('"createdAt"')) resolve(received);
      });
    });
    socket.destroy();
    expect(text).toContain('HTTP/1.1 201');
  });
});

describe('requests that are not in the table', () => {
  startForEach('test');

  it('have different errors', async () => {
    expect((await send('GET', '/api/v1/nothing')).body).toMatchObject({ code: 'ROUTE_UNKNOWN' });
    const wrong = await send('PUT', '/api/v1/deployments');
    expect(wrong.body.code).toBe('METHOD_NOT_ALLOWED');
    expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST');
    expect((await send('POST', '/docs')).headers.get('allow')).toBe('GET, HEAD');
    expect((await send('GET', '/v2/health/live')).body).toMatchObject({ code: 'ROUTE_UNKNOWN' });
  });

  it('HEAD is answered as GET, without the body', async () => {
    const response = await fetch(`${node.url}/api/v1/node`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(50);
    expect(await response.text()).toBe('');
  });

  it('a field of the query may appear once', async () => {
    const { body } = await send('GET', '/api/v1/audit?limit=1&limit=2');
    expect(body).toMatchObject({ code: 'REQUEST_INVALID' });
    expect((await send('GET', '/api/v1/audit?limit=abc')).body.error).toContain('"limit"');
  });
});
