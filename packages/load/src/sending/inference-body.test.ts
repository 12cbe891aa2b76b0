import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringTensor, tensor, type ElementType, type Signature, type Tensor } from '@skein/onnx';
import { decodeGrpcRequest } from '../../../server/src/gateway/oip/grpc/request.ts';
import { decodeInferRequest } from '../../../server/src/gateway/oip/http/request.ts';
import { binaryBody, grpcBody, jsonBody } from './inference-body.ts';
import { sampleInputs } from './sample-inputs.ts';
import { tensorElements } from './tensor-elements.ts';

const inputs: Record<string, Tensor> = {
  x: tensor('float32', [2, 2], Float32Array.of(1.5, -2, 0, 1e-7)),
  ids: tensor('int64', [1, 3], BigInt64Array.of(0n, -1n, 7n)),
  names: stringTensor([2], ['grüße', '']),
  flags: tensor('bool', [2], Uint8Array.of(1, 0)),
  scalar: tensor('float64', [], Float64Array.of(2.5)),
};

function shown(read: Iterable<readonly [string, Tensor]>): Record<string, unknown> {
  return Object.fromEntries(
    [...read].map(([name, each]) => [
      name,
      { type: each.type, shape: [...each.shape], elements: tensorElements(each) },
    ]),
  );
}

const expected = shown(Object.entries(inputs));

describe('bodies, as the node’s own APIs parse them', () => {
  it('JSON', () => {
    const { body } = jsonBody(inputs);
    expect(shown(decodeInferRequest(Buffer.from(body), undefined).inputs)).toEqual(expected);
  });

  it('binary', () => {
    const { body, headers } = binaryBody(inputs);
    const length = Number(headers['inference-header-content-length']);
    const request = decodeInferRequest(Buffer.from(body), length);
    expect(shown(request.inputs)).toEqual(expected);
    expect(request.binary.byDefault).toBe(true);
  });

  it('gRPC', () => {
    const { body } = grpcBody('risk', '3', inputs);
    const request = decodeGrpcRequest(body);
    expect([request.model, request.version]).toEqual(['risk', '3']);
    expect(shown(request.inputs)).toEqual(expected);
  });

  it('gRPC with tensors and shapes of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 3 }), (shape) => {
        const count = shape.reduce((product, size) => product * size, 1);
        fc.pre(count < 100_000);
        const one = { x: tensor('uint8', shape, new Uint8Array(count).fill(7)) };
        const { inputs: read } = decodeGrpcRequest(grpcBody('m', undefined, one).body);
        expect(shown(read)).toEqual(shown(Object.entries(one)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('sampleInputs', () => {
  const types: ElementType[] = [
    ...(['float32', 'float64', 'float16', 'bfloat16', 'bool', 'string'] as const),
    ...(['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const),
  ];
  const signature: Signature = {
    inputs: types.map((type) => ({ name: type, type, shape: ['batch', 3, null] })),
    outputs: [],
  };

  it('fills every element type with finite values, free dimensions as 1', () => {
    const made = sampleInputs(signature, 1);
    for (const type of types) {
      const each = made[type];
      expect(each?.type).toBe(type);
      expect(each?.shape).toEqual([1, 3, 1]);
      const elements = each === undefined ? [] : tensorElements(each);
      expect(elements).toHaveLength(3);
      for (const element of elements) {
        if (typeof element === 'number') expect(Number.isFinite(element)).toBe(true);
      }
    }
  });

  it('is the same for the same seed', () => {
    expect(sampleInputs(signature, 5)).toEqual(sampleInputs(signature, 5));
    expect(sampleInputs(signature, 5)).not.toEqual(sampleInputs(signature, 6));
  });
});
