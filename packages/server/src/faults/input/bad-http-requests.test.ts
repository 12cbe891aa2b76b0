/** Invalid HTTP requests to a real node: each is rejected with a code, and the node continues. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ERRORS, type ErrorBody, type ErrorCode } from '@skein/api';
import { mlp } from '@skein/onnx';
import { arithmetic } from '../../../../runtime/src/testing/models.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { rawClient } from '../../testing/raw-client.ts';

const MAX_BODY = 256 * 1024;

let node: NodeProcess;
let expected: unknown;
beforeAll(async () => {
  node = await startNodeProcess({ args: ['--max-body', String(MAX_BODY), '--body-timeout', '2s'] });
  const model = mlp({ sizes: [4, 8, 3], seed: 1 });
  const objective = { latencyMs: 10_000 };
  await node.deploy('risk', model, { objective, oversubscribe: true });
  await node.deploy('strict', model, { objective, oversubscribe: true, finiteOnly: true });
  await node.deploy('arithmetic', arithmetic(), { objective, oversubscribe: true });
  expected = (await good()).outputs;
});
afterAll(() => node[Symbol.asyncDispose]());

const X = { name: 'x', datatype: 'FP32', shape: [1, 4], data: [0.5, -1, 2, 0.25] };
const GOOD = JSON.stringify({ inputs: [X] });

async function good(): Promise<{ outputs: { name: string; data: number[] }[] }> {
  const response = await post(GOOD);
  expect(response.status).toBe(200);
  return response.json() as Promise<{ outputs: { name: string; data: number[] }[] }>;
}

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

function post(
  body: string | Uint8Array,
  { path = '/v2/models/risk/infer', method = 'POST', headers = {} }: Sent = {},
): Promise<Response> {
  return fetch(node.url + path, {
    method,
    headers,
    ...(method === 'POST' ? { body: body as Uint8Array<ArrayBuffer> } : {}),
  });
}

const input = (change: object): string => JSON.stringify({ inputs: [{ ...X, ...change }] });
/** A binary body: the JSON part, then the bytes. */
function binary(size: number, bytes: Uint8Array, claimed?: string): [Buffer, Sent] {
  const { data: _, ...header } = X;
  const json = JSON.stringify({
    inputs: [{ ...header, parameters: { binary_data_size: size } }],
  });
  const body = Buffer.concat([Buffer.from(json), bytes]);
  return [body, { headers: { 'inference-header-content-length': claimed ?? String(json.length) } }];
}
const floats = (...list: number[]) => new Uint8Array(Float32Array.from(list).buffer);

const strict: Sent = { path: '/v2/models/strict/infer' };
const cases: [string, string | Uint8Array, ErrorCode, RegExp, Sent?][] = [
  ['half of a JSON document', '{"inputs":[{"name":"x",', 'BODY_NOT_JSON', /position/],
  ['no body', '', 'BODY_NOT_JSON', /empty|end/i],
  ['bytes that are not text', Buffer.from([0xff, 0xfe, 0, 1]), 'BODY_NOT_JSON', /JSON/],
  ['JSON that is no object', '[1]', 'REQUEST_INVALID', /object/],
  ['no inputs', '{}', 'REQUEST_INVALID', /inputs/],
  ['an input without a name', input({ name: undefined }), 'REQUEST_INVALID', /name/],
  ['an empty list of inputs', '{"inputs":[]}', 'INPUT_MISSING', /"x"/],
  ['a wrong name', input({ name: 'y' }), 'INPUT_UNKNOWN', /"y".*x/],
  [
    'a shape that does not fit',
    input({ shape: [1, 5], data: [1, 2, 3, 4, 5] }),
    'INPUT_SHAPE',
    /\[1, 5\].*\[-1, 4\]/,
  ],
  ['too many dimensions', input({ shape: [1, 1, 4] }), 'INPUT_SHAPE', /\[1, 1, 4\]/],
  ['no rows', input({ shape: [0, 4], data: [] }), 'INPUT_SHAPE', /no rows/],
  ['a negative size', input({ shape: [-1, 4] }), 'INPUT_SHAPE', /-1/],
  ['a shape of 10¹⁸ elements', input({ shape: [1e9, 1e9] }), 'INPUT_SHAPE', /1000000000/],
  ['another datatype', input({ datatype: 'FP64' }), 'INPUT_DATATYPE', /float64.*float32/],
  ['a datatype that does not exist', input({ datatype: 'FP99' }), 'INPUT_DATATYPE', /FP99/],
  ['too few values', input({ data: [1, 2, 3] }), 'INPUT_DATA', /4 values.*fewer/],
  ['too many values', input({ data: [1, 2, 3, 4, 5] }), 'INPUT_DATA', /more than the 4 values/],
  ['a value of another kind', input({ data: [1, 2, 3, 'four'] }), 'INPUT_DATA', /a string at byte/],
  [
    'an output that is none',
    JSON.stringify({ inputs: [X], outputs: [{ name: 'z' }] }),
    'OUTPUT_UNKNOWN',
    /"z".*y/,
  ],
  [
    'fewer bytes than the shape takes',
    ...withSent(binary(12, floats(1, 2, 3)), 'INPUT_DATA', /12/),
  ],
  ['fewer bytes than announced', ...withSent(binary(16, floats(1, 2)), 'INPUT_DATA', /16/)],
  [
    'bytes that belong to no input',
    ...withSent(binary(16, floats(1, 2, 3, 4, 5)), 'INPUT_DATA', /4/),
  ],
  [
    'a header length that is no number',
    ...withSent(binary(16, floats(1, 2, 3, 4), 'ten'), 'HEADER_LENGTH_INVALID', /"ten"/),
  ],
  [
    'a header length beyond the body',
    ...withSent(binary(16, floats(1, 2, 3, 4), '9999'), 'HEADER_LENGTH_INVALID', /9999/),
  ],
  [
    'a negative header length',
    ...withSent(binary(16, floats(1, 2, 3, 4), '-1'), 'HEADER_LENGTH_INVALID', /-1/),
  ],
  [
    'a header length that cuts the JSON',
    ...withSent(binary(16, floats(1, 2, 3, 4), '20'), 'BODY_NOT_JSON', /JSON/),
  ],
  [
    'NaN where only finite values are allowed',
    input({ data: [1, 'NaN', 3, 4] }),
    'INPUT_NOT_FINITE',
    /"x".*element 1/,
    strict,
  ],
  [
    'infinity as bytes where only finite values are allowed',
    ...withSent(binary(16, floats(1, 2, 3, Infinity)), 'INPUT_NOT_FINITE', /element 3/, strict),
  ],
  [
    'one input of two',
    JSON.stringify({ inputs: [{ name: 'a', datatype: 'FP32', shape: [1], data: [1] }] }),
    'INPUT_MISSING',
    /"b"/,
    { path: '/v2/models/arithmetic/infer' },
  ],
  ['an unknown model', GOOD, 'MODEL_UNKNOWN', /'ghost'/, { path: '/v2/models/ghost/infer' }],
  [
    'an unknown version',
    GOOD,
    'VERSION_UNKNOWN',
    /version 9.*1/,
    { path: '/v2/models/risk/versions/9/infer' },
  ],
  ['a path that is none', GOOD, 'ROUTE_UNKNOWN', /guess/, { path: '/v2/models/risk/guess' }],
  ['a method that the path does not take', '', 'METHOD_NOT_ALLOWED', /POST/, { method: 'GET' }],
  [
    'a timeout that is none',
    GOOD,
    'REQUEST_INVALID',
    /soon/,
    { headers: { 'skein-timeout-ms': 'soon' } },
  ],
  [
    'an unknown encoding',
    GOOD,
    'ENCODING_UNSUPPORTED',
    /br/,
    { headers: { 'content-encoding': 'br' } },
  ],
  [
    'gzip that is none',
    GOOD,
    'REQUEST_INVALID',
    /gzip/,
    { headers: { 'content-encoding': 'gzip' } },
  ],
  ['a body over the limit', 'x'.repeat(MAX_BODY + 1), 'BODY_TOO_LARGE', /262145.*262144/],
  [
    'a bomb in gzip',
    gzipSync(Buffer.alloc(50_000_000, 0x20)),
    'BODY_TOO_LARGE',
    /decompressed/,
    { headers: { 'content-encoding': 'gzip' } },
  ],
];

function withSent(
  [body, sent]: [Buffer, Sent],
  code: ErrorCode,
  message: RegExp,
  more: Sent = {},
): [Uint8Array, ErrorCode, RegExp, Sent] {
  return [body, code, message, { ...sent, ...more }];
}

it.each(cases)('%s', async (_, body, code, message, sent) => {
  const response = await post(body, sent);
  const answer = (await response.json()) as ErrorBody;
  expect(answer).toMatchObject({ code, fix: ERRORS[code].fix });
  expect(answer.error).toMatch(message);
  expect(response.status).toBe(ERRORS[code].http);
  expect((await good()).outputs).toEqual(expected);
});

const HEAD = 'POST /v2/models/risk/infer HTTP/1.1\r\nHost: localhost\r\n';

it('a body without end is cut off at the limit', async () => {
  const client = rawClient(node.port);
  client.socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const sending = setInterval(() => client.socket.write(chunk), 1);
  expect(await client.until(/BODY_TOO_LARGE/)).toMatch(/^HTTP\/1\.1 413 /);
  clearInterval(sending);
  await client.closed;
  expect((await good()).outputs).toEqual(expected);
});

it('bytes that are not HTTP', async () => {
  const client = rawClient(node.port);
  client.socket.write('\x16\x03\x01 a TLS hello\r\n\r\n');
  expect(await client.closed).toMatch(/^HTTP\/1\.1 400 [\s\S]*REQUEST_INVALID/);
  expect((await good()).outputs).toEqual(expected);
});

it('a hundred slow senders are cut off and delay no other request', async () => {
  const slow = Array.from({ length: 100 }, () => {
    const client = rawClient(node.port);
    client.socket.write(`${HEAD}Content-Length: 1000\r\n\r\n{"inputs":`);
    return client;
  });
  const trickle = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write(' ');
  }, 50);
  let over = false;
  const cutOff = Promise.all(slow.map(({ closed }) => closed)).finally(() => (over = true));
  let answered = 0;
  for (; !over; answered++) expect((await good()).outputs).toEqual(expected);
  clearInterval(trickle);
  expect(answered).toBeGreaterThan(100);
  for (const answer of await cutOff) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*BODY_TOO_SLOW/);
  }
  expect((await good()).outputs).toEqual(expected);
});
