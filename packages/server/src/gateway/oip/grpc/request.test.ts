/** Compares the hand-written decoder of requests with the generated code. */
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { values } from '@skein/onnx';
import { decodeGrpcRequest } from './request.ts';
import { ModelInferRequestSchema } from './proto/inference.gen.ts';
import { bytesOfTensor } from '../tensors/tensor-bytes.ts';
import {
  encode,
  head,
  named,
  typedContents,
  type Input,
  type Request,
} from '../../testing/grpc-tensors.ts';
import { plain } from '../../testing/random-tensors.ts';

describe('requests', () => {
  test('raw contents are decoded without a copy to the tensors that the generated code encoded', () => {
    fc.assert(
      fc.property(named, fc.string(), fc.string(), (inputs, id, version) => {
        const message = encode({
          modelName: 'm',
          modelVersion: version,
          id,
          inputs: Object.entries(inputs).map(([name, tensor]) => head(name, tensor)),
          rawInputContents: Object.values(inputs).map(bytesOfTensor),
        });
        const decoded = decodeGrpcRequest(message);
        expect(plain(decoded.inputs)).toEqual(plain(Object.entries(inputs)));
        expect([decoded.model, decoded.version ?? '', decoded.id]).toEqual(['m', version, id]);
        for (const tensor of decoded.inputs.values()) {
          if (tensor.type !== 'string') expect(tensor.bytes.buffer).toBe(message.buffer);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('typed contents are decoded to the values that the generated code reads', () => {
    fc.assert(
      fc.property(named, (inputs) => {
        const typed = Object.entries(inputs).filter(
          ([, { type }]) => type !== 'float16' && type !== 'bfloat16',
        );
        fc.pre(typed.length > 0);
        const message = encode({
          modelName: 'm',
          inputs: typed.map(([name, tensor]) => ({
            ...head(name, tensor),
            contents: typedContents(tensor),
          })),
        });
        // The generated code's arithmetic turns signalling NaNs into quiet ones, so compare
        // afterwards.
        const oracle = fromBinary(ModelInferRequestSchema, message);
        const found = decodeGrpcRequest(message).inputs;
        for (const [index, [name, tensor]] of typed.entries()) {
          const got = found.get(name)!;
          expect(got.shape).toEqual(tensor.shape);
          const contents = oracle.inputs[index]!.contents!;
          expect(typedContents(got)).toEqual(
            Object.fromEntries(
              Object.keys(typedContents(tensor)).map((key) => [
                key,
                contents[key as keyof typeof contents],
              ]),
            ),
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  test('may have no inputs, as some models do', () => {
    expect(decodeGrpcRequest(encode({ modelName: 'm' })).inputs.size).toBe(0);
  });

  test('repeated fields and messages may arrive in several parts', () => {
    const writer = new BinaryWriter();
    writer.tag(1, WireType.LengthDelimited).string('m').tag(5, WireType.LengthDelimited).fork();
    writer
      .tag(1, WireType.LengthDelimited)
      .string('x')
      .tag(2, WireType.LengthDelimited)
      .string('FP32');
    writer.tag(3, WireType.Varint).int64(1).tag(3, WireType.Varint).int64(3);
    writer.tag(5, WireType.LengthDelimited).fork().tag(6, WireType.Bit32).float(1.5).join();
    writer
      .tag(5, WireType.LengthDelimited)
      .fork()
      .tag(6, WireType.LengthDelimited)
      .fork()
      .float(2.5)
      .float(-1)
      .join()
      .join();
    writer.join();
    const message = writer.finish();
    expect(fromBinary(ModelInferRequestSchema, message).inputs[0]!.contents!.fp32Contents).toEqual([
      1.5, 2.5, -1,
    ]);
    const x = decodeGrpcRequest(message).inputs.get('x')!;
    expect(x.shape).toEqual([1, 3]);
    expect(x.type !== 'string' && Array.from(values(x) as Float32Array)).toEqual([1.5, 2.5, -1]);
  });

  test('the deadline, the priority and the outputs are read, and unknown parameters are ignored', () => {
    const message = encode({
      modelName: 'm',
      inputs: [{ name: 'x', datatype: 'UINT8', shape: [1n] }],
      rawInputContents: [Uint8Array.of(7)],
      outputs: [{ name: 'b' }, { name: 'a' }],
      parameters: {
        timeout: { parameterChoice: { case: 'int64Param', value: 1500n } },
        priority: { parameterChoice: { case: 'uint64Param', value: 2n } },
        unknown: { parameterChoice: { case: 'stringParam', value: 'is ignored' } },
      },
    });
    expect(decodeGrpcRequest(message)).toMatchObject({
      timeoutMs: 1.5,
      priority: 2,
      outputs: ['b', 'a'],
      version: undefined,
    });
  });

  const x: Input = { name: 'x', datatype: 'FP32', shape: [1n] };
  const integer = (value: bigint) => ({ parameterChoice: { case: 'int64Param' as const, value } });
  test.each<[string, Request, string, RegExp]>([
    ['no data', { inputs: [x] }, 'INPUT_DATA', /fewer values than the 1/],
    [
      'too few raw contents',
      { inputs: [x, { ...x, name: 'y' }], rawInputContents: [new Uint8Array(4)] },
      'INPUT_DATA',
      /one for each/,
    ],
    [
      'both kinds',
      {
        inputs: [{ ...x, contents: { fp32Contents: [1] } }],
        rawInputContents: [new Uint8Array(4)],
      },
      'REQUEST_INVALID',
      /both/,
    ],
    [
      'the wrong list',
      { inputs: [{ ...x, contents: { fp64Contents: [1] } }] },
      'INPUT_DATA',
      /fp32_contents/,
    ],
    [
      'typed FP16',
      { inputs: [{ ...x, datatype: 'FP16', contents: { fp32Contents: [1] } }] },
      'INPUT_DATA',
      /raw_input_contents/,
    ],
    [
      'out of range',
      { inputs: [{ ...x, datatype: 'INT8', contents: { intContents: [128] } }] },
      'INPUT_DATA',
      /128/,
    ],
    [
      'too many',
      { inputs: [{ ...x, datatype: 'INT8', contents: { intContents: [1, 2] } }] },
      'INPUT_DATA',
      /more/,
    ],
    [
      'too few',
      {
        inputs: [{ ...x, datatype: 'UINT64', shape: [3n], contents: { uint64Contents: [1n, 2n] } }],
      },
      'INPUT_DATA',
      /fewer/,
    ],
    [
      'too few strings',
      {
        inputs: [
          {
            ...x,
            datatype: 'BYTES',
            shape: [2n],
            contents: { bytesContents: [new Uint8Array(1)] },
          },
        ],
      },
      'INPUT_DATA',
      /fewer/,
    ],
    [
      'too many strings',
      {
        inputs: Array.from({ length: 5 }, (_, at) => ({
          ...x,
          name: `x${at}`,
          datatype: 'BYTES',
          shape: [60_000n],
        })),
        rawInputContents: Array.from({ length: 5 }, () => new Uint8Array(240_000)),
      },
      'INPUT_DATA',
      /together they may have 262144/,
    ],
    [
      'a huge shape',
      {
        inputs: [{ ...x, datatype: 'UINT32', shape: [2n ** 50n], contents: { uintContents: [1] } }],
      },
      'INPUT_DATA',
      /fewer/,
    ],
    ['a negative size', { inputs: [{ ...x, shape: [-1n] }] }, 'INPUT_SHAPE', /-1/],
    [
      'a rank of 33',
      { inputs: [{ ...x, shape: Array.from({ length: 33 }, () => 1n) }] },
      'INPUT_SHAPE',
      /at most 32/,
    ],
    ['an unknown datatype', { inputs: [{ ...x, datatype: 'FP8' }] }, 'INPUT_DATATYPE', /FP8/],
    [
      'a name twice',
      { inputs: [x, x], rawInputContents: [new Uint8Array(4), new Uint8Array(4)] },
      'REQUEST_INVALID',
      /twice/,
    ],
    [
      'a sequence',
      {
        inputs: [x],
        rawInputContents: [new Uint8Array(4)],
        parameters: { sequence_id: integer(3n) },
      },
      'REQUEST_INVALID',
      /Sequences/,
    ],
    [
      'a negative number of classes',
      {
        inputs: [x],
        rawInputContents: [new Uint8Array(4)],
        outputs: [{ name: 'y', parameters: { classification: integer(-3n) } }],
      },
      'REQUEST_INVALID',
      /classification of output "y"/,
    ],
    [
      'shared memory',
      {
        inputs: [
          {
            ...x,
            parameters: {
              shared_memory_region: { parameterChoice: { case: 'stringParam', value: 'r' } },
            },
          },
        ],
      },
      'REQUEST_INVALID',
      /Shared memory of input "x" takes/,
    ],
  ])('%s is refused with its reason', (_, request, code, reason) => {
    expect(() => decodeGrpcRequest(encode(request))).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(reason) as string }),
    );
  });

  test('a flood of empty items is refused before it takes memory', () => {
    expect(() => decodeGrpcRequest(Buffer.alloc(1_000_000, '2a00', 'hex'))).toThrow(
      /more than 4096 inputs/,
    );
  });

  test('invalid bytes give a coded error, or decode as in the generated code', () => {
    const valid = encode({
      modelName: 'm',
      id: 'i',
      inputs: [
        { name: 'a', datatype: 'INT16', shape: [2n], contents: { intContents: [1, -1] } },
        {
          name: 'b',
          datatype: 'BYTES',
          shape: [1n],
          contents: { bytesContents: [Uint8Array.of(1)] },
        },
      ],
      outputs: [{ name: 'y' }],
      parameters: { timeout: integer(5n) },
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc
            .array(fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 })), {
              minLength: 1,
              maxLength: 3,
            })
            .map((changes) => {
              const changed = valid.slice();
              for (const [at, byte] of changes) changed[at] = byte;
              return changed;
            }),
        ),
        (message) => {
          try {
            const { model } = decodeGrpcRequest(message);
            // Unknown parameters are not decoded, so this decoder may accept more.
            const oracle = understood(message);
            if (oracle !== undefined) expect(model).toBe(oracle.modelName);
          } catch (error) {
            expect(error).toBeInstanceOf(SkeinError);
            expect((error as SkeinError).row.kind).toBe('user');
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});

function understood(message: Uint8Array) {
  try {
    return fromBinary(ModelInferRequestSchema, message);
  } catch {
    return undefined;
  }
}
