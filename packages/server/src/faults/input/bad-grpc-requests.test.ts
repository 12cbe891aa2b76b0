/** Invalid gRPC requests to a real node: each is rejected with a code, and the node continues. */
import { connect } from 'node:http2';
import { Client, credentials } from '@grpc/grpc-js';
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '@skein/api';
import { mlp } from '@skein/onnx';
import { arithmetic } from '../../../../runtime/src/testing/models.ts';
import {
  GRPCInferenceService,
  ModelInferRequestSchema,
} from '../../gateway/oip/grpc/proto/inference.gen.ts';
import { call, failure } from '../../testing/grpc-client.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';

const MAX_BODY = 256 * 1024;
const { method } = GRPCInferenceService;

let node: NodeProcess;
let client: Client;
let expected: Uint8Array;
beforeAll(async () => {
  node = await startNodeProcess({
    args: ['--max-body', String(MAX_BODY), '--body-timeout', '2s'],
  });
  client = new Client(node.grpcUrl, credentials.createInsecure());
  const model = mlp({ sizes: [4, 8, 3], seed: 1 });
  const objective = { latencyMs: 10_000 };
  await node.deploy('risk', model, { objective, oversubscribe: true });
  await node.deploy('strict', model, { objective, oversubscribe: true, finiteOnly: true });
  await node.deploy('arithmetic', arithmetic(), { objective, oversubscribe: true });
  expected = await good();
});
afterAll(async () => {
  client.close();
  await node[Symbol.asyncDispose]();
});

type Infer = Exclude<MessageInitShape<typeof ModelInferRequestSchema>, { $typeName: string }>;
type Input = NonNullable<Infer['inputs']>[number];

const floats = (...list: number[]) => new Uint8Array(Float32Array.from(list).buffer);
const X: Input = { name: 'x', datatype: 'FP32', shape: [1n, 4n] };
const DATA = floats(0.5, -1, 2, 0.25);
const GOOD: Infer = { modelName: 'risk', inputs: [X], rawInputContents: [DATA] };

async function good(): Promise<Uint8Array> {
  const { rawOutputContents } = await call(client, method.modelInfer, GOOD);
  return rawOutputContents[0]!;
}

const input = (change: Input, ...raw: Uint8Array[]): Infer => ({
  ...GOOD,
  inputs: [{ ...X, ...change } as Input],
  rawInputContents: raw.length === 0 ? [DATA] : raw,
});

const cases: [string, Infer, ErrorCode, RegExp][] = [
  ['no inputs', { modelName: 'risk' }, 'INPUT_MISSING', /"x"/],
  ['no model', { ...GOOD, modelName: '' }, 'MODEL_UNKNOWN', /''/],
  ['a wrong name', input({ name: 'y' }), 'INPUT_UNKNOWN', /"y".*x/],
  [
    'a shape that does not fit',
    input({ shape: [1n, 5n] }, floats(1, 2, 3, 4, 5)),
    'INPUT_SHAPE',
    /\[1, 5\].*\[-1, 4\]/,
  ],
  ['a negative size', input({ shape: [-1n, 4n] }), 'INPUT_SHAPE', /-1/],
  [
    'a shape of 10¹⁸ elements',
    input({ shape: [1_000_000_000n, 1_000_000_000n] }),
    'INPUT_SHAPE',
    /1000000000/,
  ],
  [
    'another datatype',
    input({ datatype: 'FP64' }, new Uint8Array(32)),
    'INPUT_DATATYPE',
    /float64.*float32/,
  ],
  ['a datatype that does not exist', input({ datatype: 'FP99' }), 'INPUT_DATATYPE', /FP99/],
  ['fewer bytes than the shape takes', input({}, floats(1, 2, 3)), 'INPUT_DATA', /12/],
  ['bytes that are no number of elements', input({}, new Uint8Array(15)), 'INPUT_DATA', /15/],
  ['more contents than inputs', input({}, DATA, DATA), 'INPUT_DATA', /raw/],
  [
    'too few typed values',
    {
      ...GOOD,
      inputs: [{ ...X, contents: { fp32Contents: [1, 2] } }],
      rawInputContents: [],
    },
    'INPUT_DATA',
    /fewer values/,
  ],
  [
    'typed values of another kind',
    {
      ...GOOD,
      inputs: [{ ...X, contents: { intContents: [1, 2, 3, 4] } }],
      rawInputContents: [],
    },
    'INPUT_DATA',
    /"x"/,
  ],
  ['an output that is none', { ...GOOD, outputs: [{ name: 'z' }] }, 'OUTPUT_UNKNOWN', /"z".*y/],
  [
    'one input of two',
    {
      modelName: 'arithmetic',
      inputs: [{ name: 'a', datatype: 'FP32', shape: [1n] }],
      rawInputContents: [floats(1)],
    },
    'INPUT_MISSING',
    /"b"/,
  ],
  [
    'NaN where only finite values are allowed',
    { ...input({}, floats(1, NaN, 3, 4)), modelName: 'strict' },
    'INPUT_NOT_FINITE',
    /"x".*element 1/,
  ],
  ['an unknown model', { ...GOOD, modelName: 'absent' }, 'MODEL_UNKNOWN', /'absent'/],
  ['an unknown version', { ...GOOD, modelVersion: '9' }, 'VERSION_UNKNOWN', /version 9.*1/],
  [
    'a timeout that is none',
    {
      ...GOOD,
      parameters: { timeout: { parameterChoice: { case: 'stringParam', value: 'soon' } } },
    },
    'REQUEST_INVALID',
    /soon/,
  ],
];

it.each(cases)('%s', async (_, request, code, message) => {
  const error = await failure(call(client, method.modelInfer, request));
  expect(error.metadata.get('skein-code')).toEqual([code]);
  expect(error.code).toBe(ERRORS[code].grpc);
  expect(error.details).toMatch(message);
  expect(error.details).toContain(ERRORS[code].fix);
  expect(await good()).toEqual(expected);
});

it('a message over the limit', async () => {
  const shape = [BigInt(MAX_BODY / 16), 4n];
  const error = await failure(
    call(client, method.modelInfer, input({ shape }, new Uint8Array(MAX_BODY))),
  );
  expect(error.code).toBe(ERRORS.BODY_TOO_LARGE.grpc);
  expect(error.metadata.get('skein-code')).toEqual(['BODY_TOO_LARGE']);
  expect(await good()).toEqual(expected);
});

it('bytes that are no message', async () => {
  const asIs = (bytes: Buffer) => bytes;
  const error = await failure(
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        '/inference.GRPCInferenceService/ModelInfer',
        asIs,
        asIs,
        Buffer.from('not a protocol buffer'),
        (failed, response) => (failed === null ? resolve(response) : reject(failed)),
      );
    }),
  );
  expect(error.code).toBe(ERRORS.REQUEST_INVALID.grpc);
  expect(await good()).toEqual(expected);
});

it('a hundred slow senders are cut off and delay no other request', async () => {
  const message = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, GOOD));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  const session = connect(`http://${node.grpcUrl}`);
  let over = false;
  const cutOff = Promise.all(
    Array.from({ length: 100 }, () => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/inference.GRPCInferenceService/ModelInfer',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.write(head);
      stream.write(message.subarray(0, 10));
      return new Promise<unknown>((resolve, reject) => {
        stream.on('error', reject);
        stream.on('response', (headers) => {
          resolve(headers['grpc-status']);
          stream.close();
        });
      });
    }),
  ).finally(() => (over = true));
  let answered = 0;
  for (; !over; answered++) expect(await good()).toEqual(expected);
  expect(new Set(await cutOff)).toEqual(new Set([String(ERRORS.BODY_TOO_SLOW.grpc)]));
  expect(answered).toBeGreaterThan(100);
  session.close();
});
