import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { datatypeOf, SkeinError } from '@skein/api';
import {
  elementCount,
  elementSize,
  tensor,
  values,
  type NumericType,
  type Tensor,
} from '@skein/onnx';
import { encodeAnswer } from './infer-answer.ts';
import { decodeInferRequest, type DecodedRequest } from './infer-request.ts';
import { bytesOfTensor } from './tensor-bytes.ts';

const NUMERIC: readonly NumericType[] = [
  'bool',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'int8',
  'int16',
  'int32',
  'int64',
  'float16',
  'bfloat16',
  'float32',
  'float64',
];
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** Any bits for any type; booleans are 0 and 1, and JSON keeps only one NaN. */
const numeric = fc.tuple(fc.constantFrom(...NUMERIC), shape).chain(([type, sizes]) =>
  fc
    .uint8Array({
      minLength: elementCount(sizes) * elementSize(type),
      maxLength: elementCount(sizes) * elementSize(type),
    })
    .map((bytes): Tensor => ({
      type,
      shape: sizes,
      bytes: type === 'bool' ? bytes.map((byte) => byte & 1) : canonicalNaN(type, bytes),
    })),
);
const strings = shape.chain((sizes) =>
  fc
    .array(fc.string({ unit: 'grapheme' }), {
      minLength: elementCount(sizes),
      maxLength: elementCount(sizes),
    })
    .map((texts): Tensor => ({
      type: 'string',
      shape: sizes,
      elements: texts.map((text) => Buffer.from(text)),
    })),
);
const named = fc.dictionary(
  fc.string({ unit: 'grapheme' }),
  fc.tuple(fc.oneof(numeric, strings), fc.boolean(), fc.boolean()),
  { minKeys: 1, maxKeys: 4, noNullPrototype: true },
);

function canonicalNaN(type: NumericType, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (type === 'float32') {
    const floats = new Float32Array(copy.buffer);
    floats.forEach((value, index) => {
      if (Number.isNaN(value)) floats[index] = NaN;
    });
  } else if (type === 'float64') {
    const floats = new Float64Array(copy.buffer);
    floats.forEach((value, index) => {
      if (Number.isNaN(value)) floats[index] = NaN;
    });
  } else if (type === 'float16') {
    const floats = new Float16Array(copy.buffer);
    floats.forEach((value, index) => {
      if (Number.isNaN(value)) floats[index] = NaN;
    });
  } else if (type === 'bfloat16') {
    const bits = new Uint16Array(copy.buffer);
    bits.forEach((value, index) => {
      if ((value & 0x7fff) > 0x7f80) bits[index] = 0x7fc0;
    });
  }
  return copy;
}

/** ES2026's way to write a number that JSON.stringify would round. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** What a naive client writes for a tensor. */
function naiveData(tensor: Tensor): unknown[] {
  if (tensor.type === 'string')
    return tensor.elements.map((bytes) => Buffer.from(bytes).toString());
  const numbers: ArrayLike<number | bigint> =
    tensor.type === 'float16'
      ? new Float16Array(tensor.bytes.slice().buffer)
      : tensor.type === 'bfloat16'
        ? new Float32Array(
            Uint32Array.from(new Uint16Array(tensor.bytes.slice().buffer), (bits) => bits << 16)
              .buffer,
          )
        : values(tensor);
  return Array.from(numbers, (value) => {
    if (tensor.type === 'bool') return value === 1;
    if (typeof value === 'bigint') return rawJSON(String(value));
    if (Object.is(value, -0)) return rawJSON('-0');
    return Number.isFinite(value) ? value : String(value);
  });
}

/** Writes a request as the protocol describes it, with some inputs binary. */
function naiveRequest(
  inputs: Readonly<Record<string, readonly [Tensor, boolean, boolean]>>,
  extra: object = {},
): { body: Buffer; jsonLength: number } {
  const binary: Uint8Array[] = [];
  const json = Buffer.from(
    JSON.stringify({
      ...extra,
      inputs: Object.entries(inputs).map(([name, [tensor, isBinary]]) => {
        const head = { name, shape: tensor.shape, datatype: datatypeOf(tensor.type) };
        if (!isBinary) return { ...head, data: naiveData(tensor) };
        const bytes = naiveBytes(tensor);
        binary.push(bytes);
        return { ...head, parameters: { binary_data_size: bytes.length } };
      }),
    }),
  );
  return { body: Buffer.concat([json, ...binary]), jsonLength: json.length };
}

function naiveBytes(tensor: Tensor): Uint8Array {
  if (tensor.type !== 'string') return tensor.bytes;
  return Buffer.concat(
    tensor.elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}

/** Tensors as plain values that `toEqual` compares. */
function plain(tensors: Iterable<readonly [string, Tensor]>): unknown {
  return Array.from(tensors, ([name, tensor]) => [
    name,
    tensor.type,
    [...tensor.shape],
    tensor.type === 'string'
      ? tensor.elements.map((bytes) => Buffer.from(bytes).toString('hex'))
      : Buffer.from(tensor.bytes).toString('hex'),
  ]);
}

describe('requests', () => {
  test('keep every tensor to the bit, as JSON, binary, or mixed', () => {
    fc.assert(
      fc.property(named, (inputs) => {
        const { body, jsonLength } = naiveRequest(inputs);
        const decoded = decodeInferRequest(body, jsonLength);
        expect(plain(decoded.inputs)).toEqual(
          plain(Object.entries(inputs).map(([name, [tensor]]) => [name, tensor] as const)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('binary tensors are views on the body', () => {
    const tensor: Tensor = { type: 'uint8', shape: [4], bytes: Uint8Array.of(1, 2, 3, 4) };
    const { body, jsonLength } = naiveRequest({ x: [tensor, true, false] });
    const found = decodeInferRequest(body, jsonLength).inputs.get('x')!;
    expect(found.type !== 'string' && found.bytes.buffer).toBe(body.buffer);
  });

  test('garbage gives a coded error of the request, or is understood', () => {
    const codes = new Set([
      'BODY_NOT_JSON',
      'REQUEST_INVALID',
      'HEADER_LENGTH_INVALID',
      'INPUT_DATATYPE',
      'INPUT_SHAPE',
      'INPUT_DATA',
    ]);
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        0,
        -1,
        1.5,
        2 ** 53,
        1e300,
        null,
        true,
        '',
        'FP32',
        'BYTES',
        'x',
        [],
        [1],
        [[1]],
        {},
        { binary_data_size: 4 },
        { binary_data_size: -1 },
        { classification: 3 },
        { timeout: 'x' },
        { priority: -1 },
        { sequence_id: 9 },
        { shared_memory_region: 'r' },
      ),
    );
    const key = fc.constantFrom(
      'name',
      'shape',
      'datatype',
      'data',
      'parameters',
      'id',
      'inputs',
      'outputs',
    );
    const object = fc.dictionary(key, value, { noNullPrototype: true });
    const body = fc.oneof(
      object,
      fc.record(
        {
          inputs: fc.array(fc.oneof(object, value)),
          outputs: fc.oneof(value, fc.array(fc.oneof(object, value))),
          parameters: fc.oneof(value, object),
          id: value,
        },
        { requiredKeys: [] },
      ),
      value,
    );
    fc.assert(
      fc.property(
        body,
        fc.uint8Array({ maxLength: 12 }),
        fc.option(fc.integer({ min: -3, max: 3 }), { nil: undefined }),
        (json, tail, shift) => {
          const text = Buffer.from(JSON.stringify(json));
          const bytes = Buffer.concat([text, tail]);
          const length =
            shift === undefined
              ? undefined
              : Math.min(bytes.length, Math.max(1, text.length + shift));
          try {
            decodeInferRequest(bytes, length);
          } catch (error) {
            expect(error).toBeInstanceOf(SkeinError);
            expect(codes).toContain((error as SkeinError).code);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('random changes of a valid request never give a fault', () => {
    const { body, jsonLength } = naiveRequest(
      {
        a: [
          {
            type: 'float32',
            shape: [2, 2],
            bytes: new Uint8Array(new Float32Array([1, 2.5, -3e-7, 4]).buffer),
          },
          false,
          false,
        ],
        b: [
          { type: 'string', shape: [2], elements: [Buffer.from('"]'), Buffer.from('é')] },
          false,
          false,
        ],
        c: [{ type: 'int64', shape: [1], bytes: new Uint8Array(8) }, true, false],
        d: [
          { type: 'string', shape: [2], elements: [Buffer.from('ab'), Buffer.from('')] },
          true,
          false,
        ],
      },
      {
        id: '1',
        parameters: { timeout: 5, binary_data_output: true },
        outputs: [{ name: 'y', parameters: { binary_data: false } }],
      },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(body.length - 1), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.integer({ min: -2, max: 2 }),
        (changes, shift) => {
          const changed = Buffer.from(body);
          for (const [at, byte] of changes) changed[at] = byte;
          try {
            decodeInferRequest(changed, jsonLength + shift);
          } catch (error) {
            expect(error).toBeInstanceOf(SkeinError);
            expect((error as SkeinError).row.kind).toBe('user');
          }
        },
      ),
      { numRuns: 5000 },
    );
  });

  test.each([
    ['{"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]}', /data of input "x" must be a list/],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":1}]}',
      /data of input "x" must be a list/,
    ],
    ['{"inputs":[{"name":"x","datatype":"FP128","shape":[1],"data":[1]}]}', /FP128/],
    ['{"inputs":[{"name":"x","datatype":"FP32","shape":[-1],"data":[1]}]}', /shape of input "x"/],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1e20],"data":[1]}]}',
      /shape of input "x"/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]},{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}',
      /twice/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}',
      /Inference-Header-Content-Length is missing/,
    ],
    ['{"inputs":[]}', /at least one input/],
    ['{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":[1]}]}', /takes a string/],
    [
      '{"inputs":[{"name":"x","datatype":"BYTES","shape":[2000000000],"data":["a"]}]}',
      /may have 1048576/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"outputs":[{"name":"y","parameters":{"classification":2}}]}',
      /Classification of output "y"/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"parameters":{"sequence_id":1}}',
      /Sequences/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"parameters":{"timeout":1.5}}',
      /microseconds/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"outputs":[{"name":"y","data":[1 2]}]}',
      /not valid JSON/,
    ],
  ])('%s is refused with its reason', (text, reason) => {
    expect(() => decodeInferRequest(Buffer.from(text), undefined)).toThrow(reason);
  });

  test('bytes that no input claims are refused', () => {
    const { body, jsonLength } = naiveRequest({
      x: [{ type: 'uint8', shape: [1], bytes: Uint8Array.of(1) }, true, false],
    });
    expect(() => decodeInferRequest(Buffer.concat([body, Buffer.of(0)]), jsonLength)).toThrow(
      /belong to no input/,
    );
    expect(() => decodeInferRequest(body.subarray(0, -1), jsonLength)).toThrow(/claims 1 bytes/);
  });
});

describe('answers', () => {
  function request(
    choice: Readonly<Record<string, readonly [Tensor, boolean, boolean]>>,
  ): DecodedRequest['binary'] {
    return {
      byDefault: false,
      byOutput: new Map(Object.entries(choice).map(([name, [, , isBinary]]) => [name, isBinary])),
    };
  }

  test('read back to the same tensors, as JSON, binary, or mixed', () => {
    fc.assert(
      fc.property(named, (outputs) => {
        const tensors = new Map(Object.entries(outputs).map(([name, [tensor]]) => [name, tensor]));
        const { json, binary } = encodeAnswer('m', 'id "1"', undefined, request(outputs), {
          version: '7',
          outputs: tensors,
          times: { queueMs: 0, computeMs: 0, batchRows: 1 },
          cached: false,
        });
        const head = JSON.parse(json) as {
          id: string;
          model_version: string;
          outputs: {
            name: string;
            datatype: string;
            shape: number[];
            data?: unknown;
            parameters?: { binary_data_size: number };
          }[];
        };
        expect(head.id).toBe('id "1"');
        expect(head.model_version).toBe('7');
        // What a server answers is what it would take: the request decoder is tested above.
        const body = Buffer.concat([
          Buffer.from(json.replace('"outputs":', '"inputs":')),
          ...(binary ?? []),
        ]);
        const again = decodeInferRequest(
          body,
          body.length - (binary ?? []).reduce((sum, { length }) => sum + length, 0),
        );
        expect(plain(again.inputs)).toEqual(plain(tensors));
        for (const { parameters, name } of head.outputs) {
          expect(parameters?.binary_data_size).toBe(
            outputs[name]![2] ? bytesOfTensor(outputs[name]![0]).length : undefined,
          );
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('keep negative zero', () => {
    for (const [type, array] of [
      ['float32', Float32Array.of(-0, 0)],
      ['float64', Float64Array.of(-0, 0)],
    ] as const) {
      const outputs = new Map<string, Tensor>([['y', tensor(type, [2], array)]]);
      const answer = {
        version: '1',
        outputs,
        times: { queueMs: 0, computeMs: 0, batchRows: 1 },
        cached: false,
      };
      const json = { byDefault: false, byOutput: new Map() };
      expect(encodeAnswer('m', undefined, undefined, json, answer).json).toContain('"data":[-0,0]');
    }
  });

  test('bytes that are not text need the binary form', () => {
    const outputs = new Map<string, Tensor>([
      ['image', { type: 'string', shape: [1], elements: [Uint8Array.of(0xff, 0xd8)] }],
    ]);
    const answer = {
      version: '1',
      outputs,
      times: { queueMs: 0, computeMs: 0, batchRows: 1 },
      cached: false,
    };
    expect(() =>
      encodeAnswer('m', undefined, undefined, { byDefault: false, byOutput: new Map() }, answer),
    ).toThrow(/binary_data/);
    const { binary } = encodeAnswer(
      'm',
      undefined,
      undefined,
      { byDefault: true, byOutput: new Map() },
      answer,
    );
    expect(Buffer.from(binary![0]!).toString('hex')).toBe('02000000ffd8');
  });

  test('outputs come in the order in which they were asked for', () => {
    const one: Tensor = { type: 'uint8', shape: [1], bytes: Uint8Array.of(1) };
    const outputs = new Map([
      ['a', one],
      ['b', one],
    ]);
    const answer = {
      version: '1',
      outputs,
      times: { queueMs: 0, computeMs: 0, batchRows: 1 },
      cached: false,
    };
    const { json } = encodeAnswer(
      'm',
      undefined,
      ['b', 'a'],
      { byDefault: false, byOutput: new Map() },
      answer,
    );
    expect(
      (JSON.parse(json) as { outputs: { name: string }[] }).outputs.map(({ name }) => name),
    ).toEqual(['b', 'a']);
  });
});
