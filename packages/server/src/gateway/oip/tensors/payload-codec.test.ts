import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { Tensor, TensorMap } from '@skein/onnx';
import { decodeGrpcRequest, type GrpcRequest } from '../grpc/request.ts';
import { encodeAnswer, type EncodedAnswer } from '../http/answer.ts';
import { decodeInferRequest, type DecodedRequest } from '../http/request.ts';
import { PayloadCodec } from './payload-codec.ts';
import { create, toBinary } from '@bufbuild/protobuf';
import { ModelInferRequestSchema } from '../grpc/proto/inference.gen.ts';

const NUMBERS = 400_000;
const numbers = Float32Array.from({ length: NUMBERS }, (_, i) => Math.fround(Math.sin(i)));
const texts = Array.from({ length: 40_000 }, (_, i) => `text ${i} of many, with ünicode`);

const codecs: PayloadCodec[] = [];
afterEach(async () => {
  for (const codec of codecs.splice(0)) await codec.close();
});
function payloadCodec(): PayloadCodec {
  const codec = new PayloadCodec();
  codecs.push(codec);
  return codec;
}

function httpBody(data = `[${numbers.join()}]`): Buffer {
  const inputs = [
    `{"name":"x","datatype":"FP32","shape":[1,${NUMBERS}],"data":${data}}`,
    `{"name":"s","datatype":"BYTES","shape":[${texts.length}],"data":${JSON.stringify(texts)}}`,
  ];
  return Buffer.from(`{"id":"large","inputs":[${inputs.join()}],"outputs":[{"name":"y"}]}`);
}

/** Its values are separate fields. */
function grpcMessage(): Buffer {
  const intContents = Array.from({ length: NUMBERS }, (_, i) => 1_000_000 + i);
  const input = { name: 'x', datatype: 'INT32', shape: [BigInt(NUMBERS)] };
  const request = { modelName: 'm', inputs: [{ ...input, contents: { intContents } }] };
  return Buffer.from(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, request)));
}

/** Counts iterations of the event loop until a promise settles. */
async function turnsUntil(promise: unknown): Promise<number> {
  let turns = 0;
  let settled = false;
  const settle = (): void => void (settled = true);
  Promise.resolve(promise).then(settle, settle);
  while (!settled) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  return turns;
}

describe('a large request', () => {
  test('is decoded with the same result, while the event loop runs', async () => {
    const body = httpBody();
    const expected = decodeInferRequest(body, undefined);
    const decoding = payloadCodec().decodeHttp(Buffer.concat([body]), undefined);
    expect(await turnsUntil(decoding)).toBeGreaterThan(50);
    expect(plain(await decoding)).toEqual(plain(expected));
  });

  /** One tensor behind a JSON part of at least so many bytes. */
  function binaryBody(jsonBytes: number): { body: Buffer; jsonLength: number } {
    const json = Buffer.from(
      `{"inputs":[{"name":"x","datatype":"FP32","shape":[${NUMBERS}],"parameters":{"binary_data_size":${numbers.byteLength}}}]}`.padEnd(
        jsonBytes,
      ),
    );
    return {
      body: Buffer.concat([json, new Uint8Array(numbers.buffer)]),
      jsonLength: json.length,
    };
  }

  test('keeps its binary part', async () => {
    const { body, jsonLength } = binaryBody(2 ** 21);
    const decoding = payloadCodec().decodeHttp(body, jsonLength);
    expect(decoding).toBeInstanceOf(Promise);
    const { inputs } = await decoding;
    expect(bytesOf(inputs, 'x').equals(new Uint8Array(numbers.buffer))).toBe(true);
  });

  test('that is binary except for its names is decoded at once, without a copy', () => {
    const { body, jsonLength } = binaryBody(0);
    expect(body.length).toBeGreaterThan(2 ** 20);
    const decoded = payloadCodec().decodeHttp(body, jsonLength);
    if (decoded instanceof Promise) throw new Error('It went through the thread.');
    const x = decoded.inputs.get('x')!;
    expect(x.type !== 'string' && x.bytes.buffer).toBe(body.buffer);
  });

  test('is refused with the same code and place, and the next one is decoded', async () => {
    const codec = payloadCodec();
    const wrong = httpBody(`[${numbers.join()},oops]`);
    let expected: Error | undefined;
    try {
      decodeInferRequest(wrong, undefined);
    } catch (error) {
      expected = error as Error;
    }
    const refused = codec.decodeHttp(Buffer.concat([wrong]), undefined);
    const next = codec.decodeHttp(httpBody(), undefined);
    await expect(refused).rejects.toThrow(expected);
    await expect(refused).rejects.toMatchObject({ code: 'INPUT_DATA' });
    expect((await next).id).toBe('large');
  });

  test('over gRPC is decoded in the thread if its values are separate fields', async () => {
    const message = grpcMessage();
    const expected = decodeGrpcRequest(message);
    const decoding = payloadCodec().decodeGrpc(Buffer.concat([message]));
    expect(decoding).toBeInstanceOf(Promise);
    expect(plain(await decoding)).toEqual(plain(expected));
  });

  test('that exceeds the thread’s memory fails, and the codec starts a new thread', async () => {
    const codec = payloadCodec();
    const decoding = expect(codec.decodeHttp(httpBody(), undefined)).rejects.toThrow('ended');
    await codec.close();
    await decoding;
    expect((await codec.decodeHttp(httpBody(), undefined)).id).toBe('large');
  });
});

test('a large answer is encoded with the same result, while the event loop runs', async () => {
  const answer = (): Parameters<typeof encodeAnswer>[4] => ({
    version: '3',
    outputs: new Map<string, Tensor>([
      ['y', { type: 'float32', shape: [NUMBERS], bytes: new Uint8Array(numbers.slice().buffer) }],
      ['z', { type: 'uint8', shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
      ['s', { type: 'string', shape: [1], elements: [Buffer.from('ä')] }],
    ]),
    times: { queueMs: 1, computeMs: 2, batchRows: 3 },
    cached: false,
  });
  const choice = { byDefault: false, byOutput: new Map([['z', true]]) };
  const expected = encodeAnswer('m', 'id', undefined, choice, answer());
  const encoding = payloadCodec().encodeHttp('m', 'id', undefined, choice, answer());
  expect(await turnsUntil(encoding)).toBeGreaterThan(50);
  const { json, binary } = await encoding;
  expect(textOf(json) === expected.json).toBe(true);
  expect(binary!.map((bytes) => [...bytes])).toEqual([[1, 2, 3]]);
});

test('without threads large payloads are handled at once too, with the same result', () => {
  const codec = new PayloadCodec(0);
  const body = httpBody();
  const decoded = codec.decodeHttp(Buffer.concat([body]), undefined) as DecodedRequest;
  expect(plain(decoded)).toEqual(plain(decodeInferRequest(body, undefined)));

  const message = grpcMessage();
  const request = codec.decodeGrpc(Buffer.concat([message])) as GrpcRequest;
  expect(plain(request)).toEqual(plain(decodeGrpcRequest(message)));

  const choice = { byDefault: false, byOutput: new Map([['s', true]]) };
  const answer = {
    version: '1',
    outputs: decoded.inputs,
    times: { queueMs: 1, computeMs: 2, batchRows: 3 },
    cached: false,
  };
  const encoded = codec.encodeHttp('m', 'id', undefined, choice, answer) as EncodedAnswer;
  const expected = encodeAnswer('m', 'id', undefined, choice, answer);
  expect(textOf(encoded.json) === expected.json).toBe(true);
  expect(encoded.binary).toEqual(expected.binary);
});

test('small payloads are handled at once', () => {
  const codec = payloadCodec();
  const body = '{"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[7]}]}';
  expect(codec.decodeHttp(Buffer.from(body), undefined)).not.toBeInstanceOf(Promise);
});

function textOf(json: EncodedAnswer['json']): string {
  return typeof json === 'string' ? json : Buffer.concat(json).toString();
}

function bytesOf(tensors: TensorMap, name: string): Buffer {
  const tensor = tensors.get(name)!;
  return Buffer.concat(tensor.type === 'string' ? tensor.elements : [tensor.bytes]);
}

/** Comparing half a million numbers one by one takes seconds, so compare digests. */
function plain({ inputs, ...rest }: { readonly inputs: TensorMap }): object {
  const tensors = [...inputs].map(([name, { type, shape }]) => {
    const bytes = bytesOf(inputs, name);
    return [name, type, [...shape], createHash('sha256').update(bytes).digest('hex')];
  });
  return { ...rest, tensors };
}
