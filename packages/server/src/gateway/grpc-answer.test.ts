/** The hand-written wire code against the generated one: what a node writes. */
import { fromBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeGrpcAnswer, encodeStreamAnswer, encodeStreamError } from './grpc-answer.ts';
import { ModelInferResponseSchema, ModelStreamInferResponseSchema } from './proto/inference.gen.ts';
import { bytesOfTensor } from './tensor-bytes.ts';
import { head, named } from './testing/grpc-tensors.ts';

describe('answers', () => {
  test('are what the generated code reads', () => {
    fc.assert(
      fc.property(named, fc.string(), (outputs, id) => {
        const message = encodeGrpcAnswer('model', id, undefined, {
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
        } = fromBinary(ModelInferResponseSchema, message);
        expect([modelName, modelVersion, gotId]).toEqual(['model', '3', id]);
        expect(heads.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
          Object.entries(outputs).map(([name, tensor]) => head(name, tensor)),
        );
        expect(rawOutputContents.map((bytes) => Buffer.from(bytes))).toEqual(
          Object.values(outputs).map((tensor) => Buffer.from(bytesOfTensor(tensor))),
        );
        const streamed = fromBinary(ModelStreamInferResponseSchema, encodeStreamAnswer(message));
        expect(streamed.errorMessage).toBe('');
        expect(streamed.inferResponse?.outputs).toHaveLength(heads.length);
      }),
      { numRuns: 300 },
    );
  });

  test('an error of a stream is its message', () => {
    expect(fromBinary(ModelStreamInferResponseSchema, encodeStreamError('no'))).toMatchObject({
      errorMessage: 'no',
    });
  });
});
