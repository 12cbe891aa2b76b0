import { describe, expect, onTestFinished, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { OPEN_INFERENCE_PATHS } from '../../../../api/src/open-inference/paths.ts';
import { deployedModel, fakeAccess, strictLogger } from '../../testing/fake-inference.ts';
import { createHttpGateway, type HttpGateway } from './gateway.ts';
import { INFER, ONE, post, send, startHttpFace } from '../testing/http-face.ts';
import { SAMPLE_STATISTICS } from '../testing/fake-plane.ts';

describe('metadata and health', () => {
  test('the server names itself and its extensions', async () => {
    const { port } = await startHttpFace();
    const { status, json } = await send(port, '/v2');
    expect(status).toBe(200);
    expect(json).toMatchObject({ name: 'skein', version: '9.9.9' });
    expect((json as { extensions: string[] }).extensions).toContain('binary_tensor_data');
    expect((await send(port, '/v2/')).status).toBe(200);
  });

  test('live is always true; ready needs every model, and answers 503 until then', async () => {
    const { port, inference } = await startHttpFace();
    expect((await send(port, '/v2/health/live')).json).toEqual({ live: true });
    expect(await send(port, '/v2/health/ready')).toMatchObject({
      status: 200,
      json: { ready: true },
    });
    inference.models.set('echo', deployedModel('echo', { ready: false }));
    expect(await send(port, '/v2/health/ready')).toMatchObject({
      status: 503,
      json: { ready: false },
    });
    expect(await send(port, '/v2/models/echo/ready')).toMatchObject({
      status: 503,
      json: { name: 'echo', ready: false },
    });
    expect(await send(port, '/v2/models/two/ready')).toMatchObject({
      status: 200,
      json: { name: 'two', ready: true },
    });
  });

  test('a node accepts once it has restored its deployments, whatever one model does', async () => {
    let hasRestored = false;
    const { port, inference } = await startHttpFace({ hasRestored: () => hasRestored });
    const accepting = async () => {
      const { status, json } = await send(port, '/v2/health/accepting');
      return [status, json];
    };
    expect(await accepting()).toEqual([503, { accepting: false }]);
    hasRestored = true;
    inference.models.set('echo', deployedModel('echo', { ready: false }));
    expect(await accepting()).toEqual([200, { accepting: true }]);
    expect((await send(port, '/v2/health/ready')).status).toBe(503);
  });

  test('a model lists its tensors, with -1 for an open size', async () => {
    const { port } = await startHttpFace();
    expect((await send(port, '/v2/models/echo/versions/2')).json).toEqual({
      name: 'echo',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
      outputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
    });
    expect((await send(port, '/v2/models/two')).json).toMatchObject({ platform: 'ensemble' });
  });

  test.each([
    ['GET', '/v2/models/ghost', 404, 'MODEL_UNKNOWN'],
    ['GET', '/v2/models/echo/versions/7', 404, 'VERSION_UNKNOWN'],
    ['GET', '/v2/models/ghost/ready', 404, 'MODEL_UNKNOWN'],
    ['GET', '/v2/models/echo/frobnicate', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/v2/models/echo/infer/more', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/v2/nothing', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/nothing', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/v2/models/%ff', 400, 'REQUEST_INVALID'],
    ['GET', INFER, 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/v2/models/echo', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/v2', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/v2/repository/index', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/v2/repository/models/echo/explode', 404, 'ROUTE_UNKNOWN'],
  ])('%s %s is %i %s', async (method, path, status, code) => {
    const { port } = await startHttpFace();
    const answer = await send(port, path, { method });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ code });
    expect(answer.headers['content-type']).toBe('application/json');
    if (status === 405) expect(answer.headers['allow']).toMatch(/GET|POST/);
  });

  test('names may be percent-encoded, and a query is not part of the path', async () => {
    const { port } = await startHttpFace();
    expect((await send(port, '/v2/models/%65cho?verbose=1')).json).toMatchObject({ name: 'echo' });
  });

  test('HEAD is GET without a body', async () => {
    const { port } = await startHttpFace();
    const { status, body, headers } = await send(port, '/v2/health/live', { method: 'HEAD' });
    expect({ status, length: body.length, announced: headers['content-length'] }).toEqual({
      status: 200,
      length: 0,
      announced: '13',
    });
  });
});

describe('access', () => {
  test('health needs no key; every other route needs its scope', async () => {
    const { port } = await startHttpFace({
      open: false,
      access: fakeAccess({ i: ['infer'], r: ['read'], a: ['admin', 'read'] }),
    });
    const as = (key: string) => ({ Authorization: `Bearer ${key}` });
    const status = async (path: string, method = 'GET', key?: string) =>
      (await send(port, path, { method, headers: key === undefined ? {} : as(key) })).status;
    expect(await status('/v2/models/echo')).toBe(401);
    expect(await status('/v2/models/echo', 'GET', 'nobody')).toBe(401);
    expect((await send(port, INFER, post(ONE, as('r')))).status).toBe(403);
    expect((await send(port, INFER, post(ONE, as('i')))).status).toBe(200);
    expect((await send(port, INFER, post(ONE))).headers['www-authenticate']).toBe(
      'Bearer realm="skein"',
    );
  });

  test.each(OPEN_INFERENCE_PATHS)(
    '$operationId demands the scope that the reference names',
    async (row) => {
      const keys = { infer: ['infer'], read: ['read'], admin: ['admin'] } as const;
      const { port } = await startHttpFace({ open: false, access: fakeAccess(keys) });
      const path = row.path.replace('{model}', 'echo').replace('{version}', '1');
      const admits = async (key: string): Promise<boolean> => {
        const headers = { Authorization: `Bearer ${key}` };
        const { status } = await send(port, path, { method: row.method.toUpperCase(), headers });
        return status !== 401 && status !== 403;
      };
      const admitted = [];
      for (const key of ['none', ...Object.keys(keys)]) if (await admits(key)) admitted.push(key);
      const named = row.scope === 'none' ? ['none', ...Object.keys(keys)] : row.scope.split(' or ');
      expect(admitted).toEqual(named);
    },
  );

  test('the tenant of the key is passed on, and its place is released', async () => {
    const access = fakeAccess({ i: ['infer'] });
    const { port, inference } = await startHttpFace({ open: false, access });
    const seen: number[] = [];
    inference.answer = ({ inputs }) => {
      seen.push(access.inFlight);
      return inputs;
    };
    await send(port, INFER, post(ONE, { Authorization: 'Bearer i' }));
    await send(port, INFER, post('{', { Authorization: 'Bearer i' }));
    expect(inference.requests[0]!.tenant).toBe('tenant-i');
    expect(seen).toEqual([1]);
    expect(access.inFlight).toBe(0);
  });
});

describe('browsers', () => {
  test('an open node rejects pages of other origins and rebound names', async () => {
    const { port } = await startHttpFace({ allowedOrigins: ['https://app.example.com'] });
    const status = async (headers: Record<string, string>) =>
      (await send(port, '/v2/health/live', { headers })).status;
    expect(await status({ Host: 'evil.example.com' })).toBe(403);
    expect(await status({ Host: `127.0.0.1.example.com:${port}` })).toBe(403);
    expect(await status({ Host: `localhost:${port}` })).toBe(200);
    expect(await status({ Host: `[::1]:${port}` })).toBe(200);
    expect(await status({ Host: `localhost:${port}`, Origin: `http://localhost:${port}` })).toBe(
      200,
    );
    expect(await status({ Host: `localhost:${port}`, Origin: 'http://localhost:1' })).toBe(403);
    expect(await status({ Host: `localhost:${port}`, Origin: 'https://evil.example.com' })).toBe(
      403,
    );
    expect(await status({ Host: `localhost:${port}`, Origin: 'null' })).toBe(403);
    expect(await status({ Host: `localhost:${port}`, Origin: 'https://app.example.com' })).toBe(
      200,
    );
    // A page that was accepted before does not admit other pages.
    expect(await status({ Host: 'evil.example.com' })).toBe(403);
  });

  test('an open node keeps out images, scripts and frames of foreign pages', async () => {
    const { port } = await startHttpFace({
      management: { serve: async ({ response }) => void response.end('{}') },
    });
    const status = async (path: string, site: string, mode = 'no-cors', dest = 'image') => {
      const headers = { 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Dest': dest };
      return (await send(port, path, { headers })).status;
    };
    for (const path of ['/v2', '/v2/models/echo', '/api/v1/node', '/metrics', '/console/feed.js']) {
      for (const site of ['cross-site', 'same-site', 'anything']) {
        expect(await status(path, site)).toBe(403);
        expect(await status(path, site, 'navigate', 'document')).toBe(403);
      }
    }
    expect(await status('/', 'cross-site', 'navigate', 'document')).toBe(200);
    expect(await status('/docs?x', 'same-site', 'navigate', 'document')).toBe(200);
    expect(await status('/', 'cross-site', 'navigate', 'iframe')).toBe(403);
    expect(await status('/', 'cross-site')).toBe(403);
    expect(await status('/api/v1/node', 'same-origin', 'cors', 'empty')).toBe(200);
    expect(await status('/v2', 'none', 'navigate', 'document')).toBe(200);
    const allowed = await startHttpFace({ allowedOrigins: ['https://app.example.com'] });
    const headers = { Origin: 'https://app.example.com', 'Sec-Fetch-Site': 'cross-site' };
    expect((await send(allowed.port, '/v2', { headers })).status).toBe(200);
    const keyed = await startHttpFace({ open: false });
    const cross = { 'Sec-Fetch-Site': 'cross-site' };
    expect((await send(keyed.port, '/v2', { headers: cross })).status).toBe(200);
  });

  test('every answer forbids type sniffing and use by pages of other origins', async () => {
    const { port } = await startHttpFace({
      metrics: { contentType: 'text/plain', text: async () => 'up 1\n' },
    });
    const binary = ONE.replace('{"inputs"', '{"parameters":{"binary_data_output":true},"inputs"');
    const answers = [
      await send(port, '/v2'),
      await send(port, '/v2/models/none'),
      await send(port, '/metrics'),
      await send(port, '/nowhere'),
      await send(port, '/v2', { headers: { Host: 'evil.example.com' } }),
      await send(port, '/nowhere', { method: 'POST', body: Buffer.alloc(300_000) }),
      await send(port, INFER, post(ONE)),
      await send(port, INFER, post(binary)),
      await send(port, INFER, post('{')),
    ];
    for (const { headers } of answers) {
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
    }
  });

  test('allowed origins get CORS, also on errors and preflights', async () => {
    const { port } = await startHttpFace({ allowedOrigins: ['https://app.example.com'] });
    const headers = { Origin: 'https://app.example.com' };
    const fine = await send(port, INFER, post(ONE, headers));
    expect(fine.headers['access-control-allow-origin']).toBe(headers.Origin);
    const failed = await send(port, INFER, post('{', headers));
    expect(failed.headers['access-control-allow-origin']).toBe(headers.Origin);
    const preflight = await send(port, INFER, {
      method: 'OPTIONS',
      headers: {
        ...headers,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-headers']).toBe('authorization,content-type');
    expect(preflight.headers['access-control-allow-methods']).toContain('POST');
  });

  test('with keys, other origins are answered without CORS', async () => {
    const { port } = await startHttpFace({ open: false });
    const answer = await send(port, '/v2', {
      headers: { Origin: 'https://x.example.com', Host: 'skein.example.com' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('JSON that is nested as deep as it is long', () => {
  const deep = '['.repeat(400_000) + ']'.repeat(400_000);
  test.each(['/v2/repository/index', '/v2/repository/models/echo/load', INFER])(
    'is refused at %s',
    async (path) => {
      const { port } = await startHttpFace();
      for (const body of [deep, `{"x":${deep}}`, `{"inputs":[{"name":${deep}}]}`]) {
        const { status, json } = await send(port, path, post(body));
        expect(status).toBe(400);
        expect(json).toMatchObject({ code: 'REQUEST_INVALID' });
      }
    },
  );
});

describe('extensions', () => {
  test('the repository lists, loads and unloads', async () => {
    const { port, calls } = await startHttpFace();
    expect((await send(port, '/v2/repository/index', { method: 'POST' })).json).toHaveLength(2);
    expect((await send(port, '/v2/repository/index', post('{"ready":true}'))).json).toEqual([
      { name: 'echo', version: '1', state: 'READY', reason: '' },
    ]);
    const load = '/v2/repository/models/echo/load';
    expect((await send(port, load, { method: 'POST' })).status).toBe(200);
    expect((await send(port, load, post('{"parameters":{"config":"{}"}}'))).status).toBe(200);
    expect(
      (
        await send(
          port,
          '/v2/repository/models/echo/unload',
          post('{"parameters":{"unload_dependents":true}}'),
        )
      ).status,
    ).toBe(200);
    expect(calls).toEqual([
      'load echo local 127.0.0.1 {}',
      'load echo local 127.0.0.1 {"config":"{}"}',
      'unload echo local 127.0.0.1',
    ]);
    expect(await send(port, load, post('{"parameters":["config"]}'))).toMatchObject({
      status: 400,
      json: { code: 'REQUEST_INVALID' },
    });
    expect(await send(port, '/v2/repository/index', post('[]'))).toMatchObject({ status: 400 });
  });

  test("statistics are the source's, in nanoseconds", async () => {
    const { port } = await startHttpFace({
      statistics: SAMPLE_STATISTICS,
    });
    expect((await send(port, '/v2/models/stats')).json).toMatchObject({
      model_stats: [
        {
          name: 'echo',
          version: '1',
          inference_stats: {
            success: { count: 2, ns: 1_500_000 },
            compute_input: { count: 2, ns: 250_000 },
            compute_infer: { count: 2, ns: 1_500_000 },
            compute_output: { count: 2, ns: 500_000 },
          },
        },
      ],
    });
    expect((await send(port, '/v2/models/echo/versions/2/stats')).json).toMatchObject({
      model_stats: [
        {
          name: 'echo',
          version: '2',
          batch_stats: [{ batch_size: 2, compute_infer: { count: 2, ns: 1_500_000 } }],
        },
      ],
    });
    expect((await send(port, '/v2/models/ghost/stats')).status).toBe(404);
  });

  test('metrics and the management API are served if configured', async () => {
    const { port } = await startHttpFace({
      metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' },
      management: {
        async serve({ request, response, id }) {
          if (request.url === '/api/fail') throw new SkeinError('DEPLOYMENT_INVALID', 'No.');
          response.end(`${id} ${request.url}`);
        },
      },
    });
    expect(await send(port, '/metrics')).toMatchObject({ status: 200, text: 'up 1\n' });
    expect(await send(port, '/api/x?q=1', { headers: { 'X-Request-Id': 'abc' } })).toMatchObject({
      text: 'abc /api/x?q=1',
    });
    expect(await send(port, '/api/fail')).toMatchObject({
      status: 400,
      json: { code: 'DEPLOYMENT_INVALID' },
    });
    expect((await send(port, '/metrics', { method: 'POST' })).status).toBe(405);
  });

  test('without metrics there is no such route', async () => {
    const { port } = await startHttpFace();
    for (const path of ['/metrics', '/other']) {
      expect(await send(port, path)).toMatchObject({
        status: 404,
        json: { code: 'ROUTE_UNKNOWN' },
      });
    }
  });
});

test('a taken port and an address that there is not are reported, or the next port is used', async () => {
  const { port } = await startHttpFace();
  const { gateway } = await startHttpFace();
  const other: HttpGateway = gateway;
  expect(other.address?.port).not.toBe(port);
  const third = createHttpGateway({
    faces: [],
    open: true,
    logger: strictLogger,
    limits: { drainGraceMs: 0 },
  });
  onTestFinished(() => third.drain());
  await expect(third.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  });
  for (const host of ['203.0.113.1', 'no-such-host.invalid']) {
    await expect(third.listen({ host, port: 0 })).rejects.toMatchObject({
      code: 'ADDRESS_UNUSABLE',
      message: expect.stringContaining(`Nothing can listen on ${host}, port 0: `),
    });
  }
  const address = await third.listen({ host: '127.0.0.1', port, alternatives: 20 });
  expect(address.port).toBeGreaterThan(port);
});
