/** The hand-written encoder against the generated code. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Tensor } from '@skein/onnx';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeGrpcAnswer, encodeStreamAnswer, encodeStreamError } from './answer.ts';
import { ModelInferResponseSchema, ModelStreamInferResponseSchema } from './proto/inference.gen.ts';
import { MessagePieces } from '../../grpc/message-framer.ts';
import { bytesOfTensor } from '../tensors/tensor-bytes.ts';
import { head, named } from '../../testing/grpc-tensors.ts';

describe('answers', () => {
  test('are decoded by the generated code', () =>
    fc.assert(
      fc.asyncProperty(named, fc.string(), async (outputs, id) => {
        const encoded = await encodeGrpcAnswer('model', id, undefined, {
          version: '3',
          outputs: new Map(Object.entries(outputs)),
          times: { queueMs: 0, computeMs: 0, batchRows: 1 },
          cached: false,
        });
        const {
          modelName,
          modelVersion,
          id: gotId,
          outputs: heads,
          rawOutputContents,
        } = fromBinary(ModelInferResponseSchema, bytesOf(encoded));
        expect([modelName, modelVersion, gotId]).toEqual(['model', '3', id]);
        expect(heads.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
          Object.entries(outputs).map(([name, tensor]) => head(name, tensor)),
        );
        expect(rawOutputContents.map((bytes) => Buffer.from(bytes))).toEqual(
          Object.values(outputs).map((tensor) => Buffer.from(bytesOfTensor(tensor))),
        );
        const streamed = fromBinary(
          ModelStreamInferResponseSchema,
          bytesOf(encodeStreamAnswer(encoded, true)),
        );
        expect(streamed.errorMessage).toBe('');
        expect(streamed.inferResponse?.outputs).toHaveLength(heads.length);
      }),
      { numRuns: 300 },
    ));

  test('that are large are sent in pieces, tensors without a copy', async () => {
    const floats = new Uint8Array(400_000).fill(7);
    const elements = Array.from({ length: 40_000 }, (_, index) => Buffer.from(String(index)));
    const long = [new Uint8Array(5_000_000).fill(1), new Uint8Array(), new Uint8Array(3).fill(2)];
    const outputs = new Map<string, Tensor>([
      ['floats', { type: 'float32', shape: [100_000], bytes: floats }],
      ['texts', { type: 'string', shape: [40_000], elements }],
      ['long', { type: 'string', shape: [3], elements: long }],
      ['none', { type: 'string', shape: [0], elements: [] }],
    ]);
    const times = { queueMs: 0, computeMs: 0, batchRows: 1 };
    const answer = { version: '3', outputs, times, cached: false };
    const encoded = await encodeGrpcAnswer('model', 'a', undefined, answer);
    if (encoded instanceof Uint8Array) throw new Error('It was put together.');
    expect(encoded.pieces).toContain(floats);
    for (const message of [encoded, encodeStreamAnswer(encoded, false)] as const) {
      const bytes = bytesOf(message);
      const read =
        message === encoded
          ? fromBinary(ModelInferResponseSchema, bytes)
          : fromBinary(ModelStreamInferResponseSchema, bytes).inferResponse!;
      expect(read.rawOutputContents.map((content) => Buffer.from(content))).toEqual(
        [...outputs.values()].map((tensor) => Buffer.from(bytesOfTensor(tensor))),
      );
      expect(read.outputs.map(({ name }) => name)).toEqual([...outputs.keys()]);
    }
  });

  test('an error of a stream is sent as its message, with the id of its request', () => {
    for (const id of ['7', '']) {
      const sent = encodeStreamError('no', id);
      expect(fromBinary(ModelStreamInferResponseSchema, sent)).toMatchObject({
        errorMessage: 'no',
        inferResponse: { id },
      });
    }
  });
});

function bytesOf(message: Uint8Array | MessagePieces): Uint8Array {
  return message instanceof MessagePieces ? Buffer.concat(message.pieces) : message;
}
