import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { gzipSync, deflateSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { SkeinError, type ErrorBody } from '@skein/api';
import type { Signature, TensorMap } from '@skein/onnx';
import { stringTensor, tensor } from '@skein/onnx';
import {
  deployedModel,
  fakeAccess,
  fakeInference,
  strictLogger,
} from '../testing/fake-inference.ts';
import { createHttpGateway, type HttpGateway, type HttpGatewayOptions } from './http-gateway.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const two: Signature = {
  inputs: [
    { name: 'a', type: 'float32', shape: ['batch', 2] },
    { name: 'b', type: 'string', shape: ['batch'] },
  ],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 2] }],
};

async function start(overrides: Partial<HttpGatewayOptions> = {}) {
  const inference = fakeInference(
    deployedModel('echo', { versions: ['1', '2'] }),
    deployedModel('two', { signature: two, kind: 'composition' }),
  );
  const access = fakeAccess();
  const calls: string[] = [];
  const options: HttpGatewayOptions = {
    inference,
    access,
    repository: {
      index: async () => [
        { name: 'echo', version: '1', state: 'READY', reason: '' },
        { name: 'echo', version: '2', state: 'UNAVAILABLE', reason: 'unloaded' },
      ],
      load: async (model, actor) => void calls.push(`load ${model} ${actor}`),
      unload: async (model, actor) => void calls.push(`unload ${model} ${actor}`),
    },
    statistics: { read: () => [] },
    version: '9.9.9',
    open: true,
    logger: strictLogger,
    ...overrides,
    limits: { drainGraceMs: 0, drainTimeoutMs: 5000, ...overrides.limits },
  };
  const gateway = createHttpGateway(options);
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  closers.push(() => gateway.drain());
  return { gateway, inference, access, calls, port, url: `http://127.0.0.1:${port}` };
}

/** fetch, but with every header as it is sent. */
function send(
  port: number,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<{
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  json: unknown;
}> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(chunks);
          const text = whole.toString();
          let json: unknown;
          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: whole,
            text,
            json,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const INFER = '/v2/models/echo/infer';
const ONE = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]}';
const post = (body: string | Buffer, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body,
  headers,
});

describe('metadata and health', () => {
  test('the server names itself and its extensions', async () => {
    const { port } = await start();
    const { status, json } = await send(port, '/v2');
    expect(status).toBe(200);
    expect(json).toMatchObject({ name: 'skein', version: '9.9.9' });
    expect((json as { extensions: string[] }).extensions).toContain('binary_tensor_data');
    expect((await send(port, '/v2/')).status).toBe(200);
  });

  test('live is always true; ready needs every model, and 503 says it is not', async () => {
    const { port, inference } = await start();
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

  test('a model tells its tensors, with -1 for any size', async () => {
    const { port } = await start();
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
    ['GET', '/v2/models/nobody', 404, 'MODEL_UNKNOWN'],
    ['GET', '/v2/models/echo/versions/7', 404, 'VERSION_UNKNOWN'],
    ['GET', '/v2/models/nobody/ready', 404, 'MODEL_UNKNOWN'],
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
    const { port } = await start();
    const answer = await send(port, path, { method });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ code });
    expect(answer.headers['content-type']).toBe('application/json');
    if (status === 405) expect(answer.headers['allow']).toMatch(/GET|POST/);
  });

  test('names may be percent-encoded, and a query is no part of the path', async () => {
    const { port } = await start();
    expect((await send(port, '/v2/models/%65cho?verbose=1')).json).toMatchObject({ name: 'echo' });
  });

  test('HEAD is GET without a body', async () => {
    const { port } = await start();
    const { status, body, headers } = await send(port, '/v2/health/live', { method: 'HEAD' });
    expect({ status, length: body.length, announced: headers['content-length'] }).toEqual({
      status: 200,
      length: 0,
      announced: '13',
    });
  });
});

describe('inference', () => {
  test('JSON in, JSON out, with timing and ids', async () => {
    const { port, inference } = await start();
    const answer = await send(port, INFER, post(ONE, { 'X-Request-Id': 'mine-1' }));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      model_name: 'echo',
      model_version: '1',
      outputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2.5] }],
    });
    expect(answer.headers['x-request-id']).toBe('mine-1');
    expect(answer.headers['server-timing']).toBe('queue;dur=1.25, compute;dur=2.5, batch;desc="3"');
    expect(inference.requests[0]).toMatchObject({
      id: 'mine-1',
      deployment: 'echo',
      tenant: 'default',
      priority: 0,
      protocol: 'http',
      version: undefined,
      deadline: undefined,
    });
  });

  test('the version of the path is pinned, and the id of the body wins and is echoed', async () => {
    const { port, inference } = await start();
    const answer = await send(
      port,
      '/v2/models/echo/versions/2/infer',
      post(ONE.replace('{', '{"id":"inner",'), { 'X-Request-Id': 'outer' }),
    );
    expect(answer.json).toMatchObject({ id: 'inner', model_version: '2' });
    expect(inference.requests[0]).toMatchObject({ id: 'inner', version: '2' });
  });

  test('an unfit X-Request-Id is replaced', async () => {
    const { port } = await start();
    const { headers } = await send(port, '/v2', { headers: { 'X-Request-Id': 'a b;c' } });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{10}-/);
  });

  test('binary tensors in both directions, beside JSON ones', async () => {
    const { port } = await start();
    const head = JSON.stringify({
      inputs: [
        { name: 'a', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
        { name: 'b', datatype: 'BYTES', shape: [1], data: ['text'] },
        { name: 'c', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 6 } },
      ],
      outputs: [{ name: 'b', parameters: { binary_data: false } }, { name: 'a' }],
      parameters: { binary_data_output: true },
    });
    const floats = Buffer.from(new Float32Array([1.5, NaN]).buffer);
    const answer = await send(
      port,
      INFER,
      post(Buffer.concat([Buffer.from(head), floats, Buffer.from([2, 0, 0, 0, 0xff, 0xfe])]), {
        'Inference-Header-Content-Length': String(head.length),
      }),
    );
    expect(answer.status).toBe(200);
    const length = Number(answer.headers['inference-header-content-length']);
    expect(length % 8).toBe(0);
    expect(JSON.parse(answer.body.toString('utf8', 0, length))).toMatchObject({
      outputs: [
        { name: 'b', datatype: 'BYTES', shape: [1], data: ['text'] },
        { name: 'a', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
      ],
    });
    expect(answer.body.subarray(length)).toEqual(floats);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
  });

  test('large binary answers arrive whole', async () => {
    const { port, inference } = await start();
    const big = new Float32Array(300_000).map((_, index) => index);
    inference.answer = (): TensorMap => new Map([['y', tensor('float32', [300_000], big)]]);
    const answer = await send(
      port,
      INFER,
      post(ONE.replace('{', '{"parameters":{"binary_data_output":true},')),
    );
    const length = Number(answer.headers['inference-header-content-length']);
    expect(answer.body.subarray(length)).toEqual(Buffer.from(big.buffer));
  });

  test('a raw request is the one input; Accept chooses the answer', async () => {
    const { port, inference } = await start();
    inference.models.set(
      'image',
      deployedModel('image', {
        signature: { inputs: [{ name: 'image', type: 'string', shape: [1] }], outputs: [] },
      }),
    );
    inference.answer = ({ inputs }) => {
      const image = inputs.get('image');
      const size = image?.type === 'string' ? image.elements[0]!.length : -1;
      return new Map([['text', stringTensor([1], [`${size} bytes`])]]);
    };
    const picture = Buffer.alloc(100_000, 7);
    const raw = { 'Inference-Header-Content-Length': '0' };
    const binary = await send(port, '/v2/models/image/infer', post(picture, raw));
    expect(binary.headers['content-type']).toBe('application/octet-stream');
    expect(binary.text).toContain('100000 bytes');
    const json = await send(
      port,
      '/v2/models/image/infer',
      post(picture, { ...raw, Accept: 'application/json' }),
    );
    expect(json.json).toMatchObject({
      outputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['100000 bytes'] }],
    });
  });

  test.each([
    ['float32', [null, 4], 32, [2, 4]],
    ['float32', ['batch', null], 12, [1, 3]],
    ['float32', [2, 2], 16, [2, 2]],
    ['uint8', [], 1, []],
  ] as const)('raw %s of shape %j in %i bytes is %j', async (type, shape, bytes, expected) => {
    const { port, inference } = await start();
    inference.models.set(
      'raw',
      deployedModel('raw', {
        maxBatchRows: 8,
        signature: { inputs: [{ name: 'x', type, shape }], outputs: [] },
      }),
    );
    const answer = await send(
      port,
      '/v2/models/raw/infer',
      post(Buffer.alloc(bytes), { 'Inference-Header-Content-Length': '0' }),
    );
    expect(answer.status).toBe(200);
    expect(inference.requests[0]?.inputs.get('x')?.shape).toEqual(expected);
  });

  test.each([
    ['two', 8, 'INPUT_MISSING'],
    ['raw', 8, 'INPUT_SHAPE'],
    ['echo', 7, 'INPUT_DATA'],
  ])('raw for %s with %i bytes is refused', async (model, bytes, code) => {
    const { port, inference } = await start();
    inference.models.set(
      'raw',
      deployedModel('raw', {
        signature: { inputs: [{ name: 'x', type: 'float32', shape: [null, null] }], outputs: [] },
      }),
    );
    inference.models.set(
      'echo',
      deployedModel('echo', {
        signature: { inputs: [{ name: 'x', type: 'float32', shape: [null, 2] }], outputs: [] },
      }),
    );
    const answer = await send(
      port,
      `/v2/models/${model}/infer`,
      post(Buffer.alloc(bytes), { 'Inference-Header-Content-Length': '0' }),
    );
    expect(answer).toMatchObject({ status: 400, json: { code } });
  });

  test('timeouts become a deadline, and the earlier one counts', async () => {
    const { port, inference } = await start();
    const before = performance.now();
    await send(
      port,
      INFER,
      post(ONE.replace('{', '{"parameters":{"timeout":2000000,"priority":1},'), {
        'Skein-Timeout-Ms': '60000',
      }),
    );
    const after = performance.now();
    const [request] = inference.requests;
    expect(request!.priority).toBe(1);
    expect(request!.deadline).toBeGreaterThanOrEqual(before + 2000);
    expect(request!.deadline).toBeLessThanOrEqual(after + 2000);
    expect(request!.arrivedAt).toBeLessThanOrEqual(after);
  });

  test.each(['0', '-1', 'soon', '1e3', ''])('Skein-Timeout-Ms: %s is refused', async (value) => {
    const { port } = await start();
    expect(await send(port, INFER, post(ONE, { 'Skein-Timeout-Ms': value }))).toMatchObject({
      status: 400,
      json: { code: 'REQUEST_INVALID' },
    });
  });

  test('trace context and the sticky header go along', async () => {
    const { port, inference } = await start();
    inference.models.set('echo', deployedModel('echo', { stickyHeader: 'x-user' }));
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await send(
      port,
      INFER,
      post(ONE, { Traceparent: traceparent, Tracestate: 'a=b', 'X-User': 'ann' }),
    );
    await send(port, INFER, post(ONE, { Traceparent: 'nonsense' }));
    expect(inference.requests[0]).toMatchObject({
      stickyKey: 'ann',
      trace: { traceparent, tracestate: 'a=b' },
    });
    expect(inference.requests[1]!.trace).toBeUndefined();
  });

  test.each([
    ['x', 'HEADER_LENGTH_INVALID'],
    ['-1', 'HEADER_LENGTH_INVALID'],
    ['999', 'HEADER_LENGTH_INVALID'],
    ['3', 'BODY_NOT_JSON'],
  ])('Inference-Header-Content-Length: %s is %s', async (value, code) => {
    const { port } = await start();
    expect(
      await send(port, INFER, post(ONE, { 'Inference-Header-Content-Length': value })),
    ).toMatchObject({ status: 400, json: { code } });
  });

  test('an empty body is not JSON', async () => {
    const { port } = await start();
    expect(await send(port, INFER, { method: 'POST' })).toMatchObject({
      status: 400,
      json: { code: 'BODY_NOT_JSON' },
    });
  });

  test('a refusal carries its code, its fix and when to come back', async () => {
    const { port, inference } = await start();
    inference.answer = () => {
      throw new SkeinError('DEADLINE_UNREACHABLE', 'It would take 3 s.', { retryAfterMs: 1234 });
    };
    const answer = await send(port, INFER, post(ONE));
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('2');
    const body = answer.json as ErrorBody;
    expect(body).toMatchObject({
      error: 'It would take 3 s.',
      code: 'DEADLINE_UNREACHABLE',
      retryAfterMs: 1234,
    });
    expect(body.fix).toContain('Retry-After');
  });

  test('a fault shows an id and nothing else, and the node goes on', async () => {
    const faults: object[] = [];
    const { port, inference, access } = await start({
      logger: { ...strictLogger, error: (details) => void faults.push(details) },
    });
    const { answer } = inference;
    inference.answer = () => {
      throw new Error('secret path /etc');
    };
    const failed = await send(port, INFER, post(ONE, { 'X-Request-Id': 'r1' }));
    expect(failed).toMatchObject({ status: 500, json: { code: 'INTERNAL' } });
    expect(failed.text).toContain('r1');
    expect(failed.text).not.toContain('secret');
    expect(faults).toMatchObject([{ requestId: 'r1' }]);
    expect(access.inFlight).toBe(0);
    inference.answer = answer;
    expect((await send(port, INFER, post(ONE))).status).toBe(200);
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ])('a body may be compressed with %s', async (encoding, compress) => {
    const { port } = await start();
    const answer = await send(port, INFER, post(compress(ONE), { 'Content-Encoding': encoding }));
    expect(answer.json).toMatchObject({ outputs: [{ data: [1, 2.5] }] });
  });

  test('other encodings and corrupt ones are refused', async () => {
    const { port } = await start();
    expect(await send(port, INFER, post(ONE, { 'Content-Encoding': 'br' }))).toMatchObject({
      status: 415,
      json: { code: 'ENCODING_UNSUPPORTED' },
    });
    expect(await send(port, INFER, post(ONE, { 'Content-Encoding': 'gzip' }))).toMatchObject({
      status: 400,
      json: { code: 'REQUEST_INVALID' },
    });
  });
});

describe('access', () => {
  test('health is free; the rest asks for the scope it needs', async () => {
    const { port } = await start({
      open: false,
      access: fakeAccess({ i: ['infer'], r: ['read'], a: ['admin', 'read'] }),
    });
    const as = (key: string) => ({ Authorization: `Bearer ${key}` });
    const status = async (path: string, method = 'GET', key?: string) =>
      (await send(port, path, { method, headers: key === undefined ? {} : as(key) })).status;
    expect(await status('/v2/health/ready')).toBe(200);
    expect(await status('/v2')).toBe(200);
    expect(await status('/v2/models/echo')).toBe(401);
    expect(await status('/v2/models/echo', 'GET', 'nobody')).toBe(401);
    expect(await status('/v2/models/echo', 'GET', 'i')).toBe(200);
    expect(await status('/v2/models/echo', 'GET', 'r')).toBe(200);
    expect(await status('/v2/models/stats', 'GET', 'i')).toBe(403);
    expect(await status('/v2/models/stats', 'GET', 'r')).toBe(200);
    expect(await status('/v2/repository/index', 'POST', 'r')).toBe(200);
    expect(await status('/v2/repository/models/echo/load', 'POST', 'r')).toBe(403);
    expect(await status('/v2/repository/models/echo/load', 'POST', 'a')).toBe(200);
    expect((await send(port, INFER, post(ONE, as('r')))).status).toBe(403);
    expect((await send(port, INFER, post(ONE, as('i')))).status).toBe(200);
    expect((await send(port, INFER, post(ONE))).headers['www-authenticate']).toBe(
      'Bearer realm="skein"',
    );
  });

  test('the tenant of the key goes along, and its place is given back', async () => {
    const access = fakeAccess({ i: ['infer'] });
    const { port, inference } = await start({ open: false, access });
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
  test('an open node keeps out foreign pages and rebound names', async () => {
    const { port } = await start({ allowedOrigins: ['https://app.example.com'] });
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
    // One that passed before does not open the door for others.
    expect(await status({ Host: 'evil.example.com' })).toBe(403);
  });

  test('allowed origins get CORS, also on errors and preflights', async () => {
    const { port } = await start({ allowedOrigins: ['https://app.example.com'] });
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
    const { port } = await start({ open: false });
    const answer = await send(port, '/v2', {
      headers: { Origin: 'https://x.example.com', Host: 'skein.example.com' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('extensions', () => {
  test('the repository lists, loads and unloads', async () => {
    const { port, calls } = await start();
    expect((await send(port, '/v2/repository/index', { method: 'POST' })).json).toHaveLength(2);
    expect((await send(port, '/v2/repository/index', post('{"ready":true}'))).json).toEqual([
      { name: 'echo', version: '1', state: 'READY', reason: '' },
    ]);
    expect((await send(port, '/v2/repository/models/echo/load', { method: 'POST' })).status).toBe(
      200,
    );
    expect(
      (
        await send(
          port,
          '/v2/repository/models/echo/unload',
          post('{"parameters":{"unload_dependents":true}}'),
        )
      ).status,
    ).toBe(200);
    expect(calls).toEqual(['load echo local', 'unload echo local']);
    expect(
      await send(port, '/v2/repository/models/echo/load', post('{"parameters":{"config":"{}"}}')),
    ).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
    expect(await send(port, '/v2/repository/index', post('[]'))).toMatchObject({ status: 400 });
  });

  test('statistics are those of the source, in nanoseconds', async () => {
    const duration = { count: 2, totalMs: 1.5 };
    const { port } = await start({
      statistics: {
        read: (model, version) => [
          {
            name: model ?? 'all',
            version: version ?? '1',
            lastInference: 5,
            inferenceCount: 4,
            executionCount: 2,
            success: duration,
            fail: duration,
            queue: duration,
            compute: duration,
            cacheHit: duration,
            batches: [{ rows: 2, compute: duration }],
          },
        ],
      },
    });
    expect((await send(port, '/v2/models/stats')).json).toMatchObject({
      model_stats: [{ name: 'all', inference_stats: { success: { count: 2, ns: 1_500_000 } } }],
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
    expect((await send(port, '/v2/models/nobody/stats')).status).toBe(404);
  });

  test('metrics and the management API are served when given', async () => {
    const { port } = await start({
      metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' },
      management: (request, response, url) => {
        if (!url.pathname.startsWith('/api/')) return false;
        if (url.pathname === '/api/fail') throw new SkeinError('DEPLOYMENT_INVALID', 'No.');
        response.end(`${request.headers['x-request-id']} ${url.searchParams.get('q')}`);
        return true;
      },
    });
    expect(await send(port, '/metrics')).toMatchObject({ status: 200, text: 'up 1\n' });
    expect(await send(port, '/api/x?q=1', { headers: { 'X-Request-Id': 'abc' } })).toMatchObject({
      text: 'abc 1',
    });
    expect(await send(port, '/api/fail')).toMatchObject({
      status: 400,
      json: { code: 'DEPLOYMENT_INVALID' },
    });
    expect(await send(port, '/other')).toMatchObject({
      status: 404,
      json: { code: 'ROUTE_UNKNOWN' },
    });
    expect((await send(port, '/metrics', { method: 'POST' })).status).toBe(405);
  });

  test('without metrics there is no such route', async () => {
    const { port } = await start();
    expect((await send(port, '/metrics')).status).toBe(404);
  });
});

test('a taken port is told, or the next one is taken', async () => {
  const { port } = await start();
  const { gateway } = await start();
  const other: HttpGateway = gateway;
  expect(other.address?.port).not.toBe(port);
  const third = createHttpGateway({
    inference: fakeInference(),
    access: fakeAccess(),
    repository: { index: async () => [], load: async () => {}, unload: async () => {} },
    statistics: { read: () => [] },
    version: '0',
    open: true,
    logger: strictLogger,
    limits: { drainGraceMs: 0 },
  });
  closers.push(() => third.drain());
  await expect(third.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  });
  const address = await third.listen({ host: '127.0.0.1', port, alternatives: 20 });
  expect(address.port).toBeGreaterThan(port);
});
