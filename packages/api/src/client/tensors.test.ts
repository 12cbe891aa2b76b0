import { stringTensor, tensor } from '@skein/onnx';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrayClass, datatypeOf } from '../datatype.ts';
import { SkeinError, type ErrorCode } from '../errors.ts';
import {
  decodeAnswer,
  encodeRequest,
  texts,
  type InputTensor,
  type OutputTensor,
} from './tensors.ts';
import { NUMERIC_TYPES } from '../../../onnx/src/tensor/tensor.ts';

/** Reads a request by the specification of the binary extension, without the code under test. */
function readRequest({ body, headerLength }: { body: Uint8Array; headerLength: number }) {
  const header = JSON.parse(new TextDecoder().decode(body.subarray(0, headerLength))) as {
    parameters: Record<string, unknown>;
    inputs: {
      name: string;
      datatype: string;
      shape: number[];
      parameters: { binary_data_size: number };
    }[];
    outputs?: { name: string }[];
  };
  let offset = headerLength;
  const inputs = header.inputs.map(({ name, datatype, shape, parameters }) => {
    const bytes = body.slice(offset, offset + parameters.binary_data_size);
    offset += parameters.binary_data_size;
    return { name, datatype, shape, bytes: [...bytes] };
  });
  expect(offset).toBe(body.length);
  return { ...header, inputs };
}

/** An answer as a node writes it. */
function writeAnswer(
  outputs: readonly { name: string; datatype: string; shape: number[]; bytes: Uint8Array }[],
  padding = '',
): { body: ArrayBuffer; headerLength: number } {
  const header = new TextEncoder().encode(
    JSON.stringify({
      model_name: 'm',
      model_version: '3',
      padding,
      outputs: outputs.map(({ bytes, ...rest }) => ({
        ...rest,
        parameters: { binary_data_size: bytes.length },
      })),
    }),
  );
  const total = outputs.reduce((sum, { bytes }) => sum + bytes.length, header.length);
  const body = new Uint8Array(total);
  body.set(header);
  let offset = header.length;
  for (const { bytes } of outputs) {
    body.set(bytes, offset);
    offset += bytes.length;
  }
  return { body: body.buffer, headerLength: header.length };
}

const anyNumeric = fc.constantFrom(...NUMERIC_TYPES).chain((type) => {
  const size = arrayClass(type).BYTES_PER_ELEMENT;
  return fc
    .uint8Array({ maxLength: 12 * size })
    .map((bytes) => bytes.slice(0, bytes.length - (bytes.length % size)))
    .map((bytes) => ({ type, bytes, shape: [bytes.length / size] }));
});

function code(run: () => unknown): ErrorCode | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof SkeinError) return error.code;
    throw error;
  }
  return undefined;
}

describe('a request', () => {
  it('carries every numeric type byte for byte, named as the protocol names it', () => {
    const property = fc.property(fc.array(anyNumeric, { maxLength: 4 }), (tensors) => {
      const inputs = Object.fromEntries(
        tensors.map(({ type, bytes, shape }, index) => {
          const Class = arrayClass(type);
          const data = new Class(bytes.buffer, bytes.byteOffset, shape[0] ?? 0);
          return [`in${index}`, { type, shape, data } as InputTensor];
        }),
      );
      const read = readRequest(encodeRequest(inputs));
      expect(read.inputs).toEqual(
        tensors.map(({ type, bytes, shape }, index) => ({
          name: `in${index}`,
          datatype: datatypeOf(type),
          shape,
          bytes: [...bytes],
        })),
      );
    });
    fc.assert(property);
  });

  it('takes the type from the class of the array', () => {
    const { inputs } = readRequest(
      encodeRequest({
        a: { shape: [2], data: Float32Array.of(1, -1) },
        b: { shape: [], data: BigInt64Array.of(5n) },
        c: { shape: [1], data: ['é'] },
      }),
    );
    expect(inputs).toEqual([
      { name: 'a', datatype: 'FP32', shape: [2], bytes: [0, 0, 128, 63, 0, 0, 128, 191] },
      { name: 'b', datatype: 'INT64', shape: [], bytes: [5, 0, 0, 0, 0, 0, 0, 0] },
      { name: 'c', datatype: 'BYTES', shape: [1], bytes: [2, 0, 0, 0, 0xc3, 0xa9] },
    ]);
  });

  it('takes the tensors of @skein/onnx, and a part of a larger buffer', () => {
    const part = new Uint8Array([9, 9, 1, 0, 9]).subarray(2, 4);
    const { inputs } = readRequest(
      encodeRequest(
        {
          x: tensor('int16', [1], Int16Array.of(-2)),
          s: stringTensor([2], ['a', '']),
          m: { type: 'bool', shape: [2], data: part },
        },
        { outputs: ['y'], priority: 1 },
      ),
    );
    expect(inputs.map(({ bytes }) => bytes)).toEqual([
      [254, 255],
      [1, 0, 0, 0, 97, 0, 0, 0, 0],
      [1, 0],
    ]);
  });

  it('names the requested outputs', () => {
    const { parameters, outputs } = readRequest(
      encodeRequest({}, { outputs: ['y', 'z'], priority: 2 }),
    );
    expect(parameters).toEqual({ binary_data_output: true, priority: 2 });
    expect(outputs?.map(({ name }) => name)).toEqual(['y', 'z']);
  });

  it('refuses invalid tensors before it is sent', () => {
    const send = (x: unknown) => code(() => encodeRequest({ x: x as InputTensor }));
    expect(send({ shape: [3], data: new Float32Array(2) })).toBe('INPUT_DATA');
    expect(send({ shape: [2], data: ['one'] })).toBe('INPUT_DATA');
    expect(send({ type: 'float32', shape: [2], data: new Float64Array(2) })).toBe('INPUT_DATATYPE');
    expect(send({ shape: [2], data: 'text' })).toBe('INPUT_DATATYPE');
    expect(send({ shape: [2], data: undefined })).toBe('INPUT_DATATYPE');
  });
});

describe('an answer', () => {
  it('gives back every numeric type, wherever its bytes lie', () => {
    const property = fc.property(
      fc.array(anyNumeric, { maxLength: 4 }),
      fc.string({ maxLength: 9 }),
      (tensors, padding) => {
        const sent = tensors.map(({ type, bytes, shape }, index) => ({
          name: `out${index}`,
          datatype: datatypeOf(type),
          shape,
          bytes,
        }));
        const { body, headerLength } = writeAnswer(sent, padding);
        const { outputs } = decodeAnswer(body, headerLength);
        tensors.forEach(({ type, bytes, shape }, index) => {
          const output = outputs[`out${index}`] as OutputTensor & { data: Uint8Array };
          expect(output.type).toBe(type);
          expect(output.shape).toEqual(shape);
          expect(output.data).toBeInstanceOf(arrayClass(type));
          const { buffer, byteOffset, byteLength } = output.data;
          expect(new Uint8Array(buffer, byteOffset, byteLength)).toEqual(bytes);
        });
      },
    );
    fc.assert(property);
  });

  it('gives strings as bytes, and as text when asked', () => {
    const bytes = Uint8Array.of(2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0, 3, 0, 0, 0, 0xef, 0xbb, 0xbf);
    const { body, headerLength } = writeAnswer([
      { name: 's', datatype: 'BYTES', shape: [3], bytes },
    ]);
    const { s } = decodeAnswer(body, headerLength).outputs;
    if (s?.type !== 'string') throw new Error('not a string');
    expect(texts(s)).toEqual(['é', '', '\uFEFF']);
  });

  it('reads the JSON form too, also nested', () => {
    const json = {
      model_name: 'm',
      outputs: [
        {
          name: 'p',
          datatype: 'FP32',
          shape: [2, 2],
          data: [
            [1, 2],
            [3, 0.5],
          ],
        },
        { name: 'n', datatype: 'UINT64', shape: [1], data: [9] },
        { name: 'b', datatype: 'BOOL', shape: [2], data: [true, false] },
        { name: 's', datatype: 'BYTES', shape: [1], data: ['hi'] },
      ],
    };
    const body = new TextEncoder().encode(JSON.stringify(json)).buffer;
    const { outputs } = decodeAnswer(body, undefined);
    expect(outputs['p']?.data).toEqual(Float32Array.of(1, 2, 3, 0.5));
    expect(outputs['n']?.data).toEqual(BigUint64Array.of(9n));
    expect(outputs['b']?.data).toEqual(Uint8Array.of(1, 0));
    expect(outputs['s']?.data).toEqual([Uint8Array.of(104, 105)]);
  });

  it('that is not valid is INTERNAL, whatever it contains', () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.option(fc.nat({ max: 80 }), { nil: undefined }),
      (bytes, headerLength) => {
        const body = new Uint8Array(bytes).buffer;
        expect(code(() => decodeAnswer(body, headerLength))).toBe('INTERNAL');
      },
    );
    fc.assert(property);
    const short = writeAnswer([
      { name: 's', datatype: 'BYTES', shape: [1], bytes: Uint8Array.of(9, 0, 0, 0, 1) },
    ]);
    expect(code(() => decodeAnswer(short.body, short.headerLength))).toBe('INTERNAL');
  });
});
