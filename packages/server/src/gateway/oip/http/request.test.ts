import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import type { Tensor } from '@skein/onnx';
import { decodeInferRequest } from './request.ts';
import { naiveRequest, named } from '../../testing/naive-tensors.ts';
import { plain } from '../../testing/random-tensors.ts';

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

  test('with nesting in the wrong place are refused, however deep', () => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    for (const body of [
      `{"id":${deep},"inputs":[]}`,
      `{"inputs":${deep}}`,
      `{"inputs":[{"name":${deep}}]}`,
      `{"inputs":[{"name":"x","datatype":"FP32","shape":${deep},"data":[]}]}`,
      `{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":[${deep}]}]}`,
    ]) {
      expect(() => decodeInferRequest(Buffer.from(body), undefined)).toThrow(SkeinError);
    }
  });

  test('binary tensors are views on the body', () => {
    const tensor: Tensor = { type: 'uint8', shape: [4], bytes: Uint8Array.of(1, 2, 3, 4) };
    const { body, jsonLength } = naiveRequest({ x: [tensor, true, false] });
    const found = decodeInferRequest(body, jsonLength).inputs.get('x')!;
    expect(found.type !== 'string' && found.bytes.buffer).toBe(body.buffer);
  });

  test('with the same envelope keep their own numbers', () => {
    const request = (data: string) =>
      Buffer.from(`{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[${data}]}]}`);
    const read = (body: Buffer, jsonLength?: number) =>
      decodeInferRequest(body, jsonLength).inputs.get('x');
    const numbers = (...values: number[]) =>
      expect.objectContaining({ bytes: new Uint8Array(Float32Array.from(values).buffer) });

    expect(read(request('1,2'))).toEqual(numbers(1, 2));
    expect(read(request('3,4'))).toEqual(numbers(3, 4));
    expect(() => read(request('5'))).toThrow(/takes 2 values/);
    // A body without its arrays is not a body that has been seen before.
    const left = Buffer.from('{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[0]}]}');
    const one = Buffer.from('{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[7]}]}');
    expect(read(one)).toEqual(numbers(7));
    expect(read(left, left.length)).toEqual(numbers(0));
    expect(read(left, left.length)).toEqual(numbers(0));
  });

  test('may have no inputs, as some models do', () => {
    const { inputs } = decodeInferRequest(Buffer.from('{"inputs":[]}'), undefined);
    expect(inputs.size).toBe(0);
  });

  test('binary tensors with the same envelope are views on their own bodies', () => {
    const bodies = [1, 2].map((value) =>
      naiveRequest({
        x: [{ type: 'uint8', shape: [1], bytes: Uint8Array.of(value) }, true, false],
      }),
    );
    const found = bodies.map(({ body, jsonLength }) =>
      decodeInferRequest(body, jsonLength).inputs.get('x'),
    );
    expect(found).toEqual(
      [1, 2].map((value) => expect.objectContaining({ bytes: Uint8Array.of(value) })),
    );
  });

  test('invalid bytes give a coded error, or decode', () => {
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
    ['{"inputs":{}}', /must be a list/],
    ['{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":[1]}]}', /takes a string/],
    [
      '{"inputs":[{"name":"x","datatype":"BYTES","shape":[2000000000],"data":["a"]}]}',
      /may have 65536/,
    ],
    [
      `{"inputs":[${Array.from({ length: 5 }, (_, at) => `{"name":"x${at}","datatype":"BYTES","shape":[65536],"data":[]}`).join()}]}`,
      /together they may have 262144/,
    ],
    [
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}],"outputs":[{"name":"y","parameters":{"classification":"two"}}]}',
      /classification of output "y"/,
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

  test.each([
    ['{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["caf\xe9"]}]}', /not UTF-8/],
    [
      '{"id":"caf\xe9","inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["a"]}]}',
      /UTF-8/,
    ],
    ['{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["\\ud800"]}]}', /surrogate/],
  ])('%j would become other text, and is refused', (latin1, reason) => {
    expect(() => decodeInferRequest(Buffer.from(latin1, 'latin1'), undefined)).toThrow(reason);
  });

  test('bytes that belong to no input are refused', () => {
    const { body, jsonLength } = naiveRequest({
      x: [{ type: 'uint8', shape: [1], bytes: Uint8Array.of(1) }, true, false],
    });
    expect(() => decodeInferRequest(Buffer.concat([body, Buffer.of(0)]), jsonLength)).toThrow(
      /belong to no input/,
    );
    expect(() => decodeInferRequest(body.subarray(0, -1), jsonLength)).toThrow(/claims 1 bytes/);
  });
});

test.each([
  [
    '9223372036854775807',
    /priority is too large: it must be below 2\^63, but it is about 9.223e\+18\.$/,
  ],
  ['1e19', /priority is too large/],
  ['-1', /must be a whole number from 0 on/],
  ['1.5', /must be a whole number from 0 on/],
])('the priority %s is refused', (priority, message) => {
  const body = `{"parameters":{"priority":${priority}},"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}`;
  expect(() => decodeInferRequest(Buffer.from(body), undefined)).toThrow(message);
});
