import { gzipSync, deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SkeinError, type ErrorBody } from '@skein/api';
import type { NumericTensor, TensorMap } from '@skein/onnx';
import { stringTensor, tensor } from '@skein/onnx';
import { deployedModel, strictLogger } from '../../../testing/fake-inference.ts';
import { INFER, ONE, post, send, startHttpFace } from '../../testing/http-face.ts';

describe('inference', () => {
  test('JSON in, JSON out, with timing and ids', async () => {
    const { port, inference } = await startHttpFace();
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
    const { port, inference } = await startHttpFace();
    const answer = await send(
      port,
      '/v2/models/echo/versions/2/infer',
      post(ONE.replace('{', '{"id":"inner",'), { 'X-Request-Id': 'outer' }),
    );
    expect(answer.json).toMatchObject({ id: 'inner', model_version: '2' });
    expect(inference.requests[0]).toMatchObject({ id: 'inner', version: '2' });
  });

  test('an unfit X-Request-Id is replaced', async () => {
    const { port } = await startHttpFace();
    const { headers } = await send(port, '/v2', { headers: { 'X-Request-Id': 'a b;c' } });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{10}-/);
  });

  test('binary tensors in both directions, next to JSON ones', async () => {
    const { port } = await startHttpFace();
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
    const { port, inference } = await startHttpFace();
    const big = new Float32Array(300_000).map((_, index) => index);
    const expected = big.slice();
    inference.answer = (): TensorMap => new Map([['y', tensor('float32', [300_000], big)]]);
    const answer = await send(
      port,
      INFER,
      post(ONE.replace('{', '{"parameters":{"binary_data_output":true},')),
    );
    const length = Number(answer.headers['inference-header-content-length']);
    expect(answer.body.subarray(length)).toEqual(Buffer.from(expected.buffer));
  });

  test.each([
    ['binary', 'a view on its body'],
    ['JSON', 'made of its text in a thread'],
  ])(
    "memory of large %s inputs, %s, is freed when they are answered, and the answer's when it is sent",
    async (form) => {
      const { port, inference } = await startHttpFace();
      const release = Promise.withResolvers<void>();
      inference.answer = async ({ inputs }) => {
        await release.promise;
        return structuredClone(inputs);
      };
      const bytes = Buffer.alloc(2 ** 21);
      const head = JSON.stringify({
        parameters: { binary_data_output: true },
        inputs: [
          {
            name: 'x',
            datatype: 'FP32',
            shape: [1, bytes.length / 4],
            ...(form === 'JSON'
              ? { data: Array.from({ length: bytes.length / 4 }, () => 0) }
              : { parameters: { binary_data_size: bytes.length } }),
          },
        ],
      });
      const sent =
        form === 'JSON'
          ? send(port, INFER, post(head))
          : send(
              port,
              INFER,
              post(Buffer.concat([Buffer.from(head), bytes]), {
                'Inference-Header-Content-Length': String(head.length),
              }),
            );
      await expect.poll(() => inference.requests).toHaveLength(1);
      const { bytes: input } = inference.requests[0]!.inputs.get('x') as NumericTensor;
      const { memory } = inference.requests[0]!;
      // A second copy of the request, at another member of a fleet.
      const over = memory!.retain();
      expect(input).toHaveLength(bytes.length);
      release.resolve();
      const answer = await sent;
      expect(answer.body.subarray(-bytes.length)).toEqual(bytes);
      expect(input).toHaveLength(bytes.length);
      over();
      await expect.poll(() => input.buffer).toMatchObject({ detached: true });
    },
  );

  test('memory of a large answer is freed when the system has taken it', async () => {
    const { port, inference } = await startHttpFace();
    const big = new Uint8Array(2 ** 21);
    inference.answer = () => new Map([['y', { type: 'uint8', shape: [big.length], bytes: big }]]);
    const wants = ONE.replace('{', '{"parameters":{"binary_data_output":true},');
    await send(port, INFER, post(wants));
    await expect.poll(() => big.buffer.detached).toBe(true);
  });

  test('a raw request is the only input; Accept chooses the form of the answer', async () => {
    const { port, inference } = await startHttpFace();
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
    const { port, inference } = await startHttpFace();
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
    const { port, inference } = await startHttpFace();
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
    const { port, inference } = await startHttpFace();
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

  test.each(['0', '-1', 'soon', '1e3', '', '1000000000'])(
    'Skein-Timeout-Ms: %s is refused',
    async (value) => {
      const { port } = await startHttpFace();
      expect(await send(port, INFER, post(ONE, { 'Skein-Timeout-Ms': value }))).toMatchObject({
        status: 400,
        json: {
          code: 'REQUEST_INVALID',
          error: expect.stringContaining('above 0 and below 1000000000') as string,
        },
      });
    },
  );

  test('trace context and the sticky header are passed on', async () => {
    const { port, inference } = await startHttpFace();
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
    ['00', '', true],
    ['00', '-more', false],
    ['cc', '', true],
    ['cc', '-more', true],
    ['cc', '.more', false],
    ['ff', '', false],
  ])('a trace context of version %s with "%s" behind it', async (version, more, isKnown) => {
    const { port, inference } = await startHttpFace();
    const traceparent = `${version}-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01${more}`;
    await send(port, INFER, post(ONE, { traceparent }));
    expect(inference.requests[0]!.trace).toEqual(isKnown ? { traceparent } : undefined);
  });

  test.each([
    ['x', 'HEADER_LENGTH_INVALID'],
    ['-1', 'HEADER_LENGTH_INVALID'],
    ['999', 'HEADER_LENGTH_INVALID'],
    ['3', 'BODY_NOT_JSON'],
  ])('Inference-Header-Content-Length: %s is %s', async (value, code) => {
    const { port } = await startHttpFace();
    expect(
      await send(port, INFER, post(ONE, { 'Inference-Header-Content-Length': value })),
    ).toMatchObject({ status: 400, json: { code } });
  });

  test('an empty body is not JSON', async () => {
    const { port } = await startHttpFace();
    expect(await send(port, INFER, { method: 'POST' })).toMatchObject({
      status: 400,
      json: { code: 'BODY_NOT_JSON' },
    });
  });

  test('a refusal has its code, its fix and its retry time', async () => {
    const { port, inference } = await startHttpFace();
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

  test('a fault shows only an id, and the node continues', async () => {
    const faults: object[] = [];
    const { port, inference, access } = await startHttpFace({
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
    ['GZip', gzipSync],
    ['deflate', deflateSync],
  ])('a body may be compressed with %s', async (encoding, compress) => {
    const { port } = await startHttpFace();
    const answer = await send(port, INFER, post(compress(ONE), { 'Content-Encoding': encoding }));
    expect(answer.json).toMatchObject({ outputs: [{ data: [1, 2.5] }] });
  });

  test('other encodings and corrupt ones are refused', async () => {
    const { port } = await startHttpFace();
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
