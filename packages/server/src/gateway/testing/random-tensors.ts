/** Random tensors of every type for the tests of codecs, and a form of them that `toEqual` compares. */
import fc from 'fast-check';
import { elementCount, elementSize, type Tensor } from '@skein/onnx';
import { bytesOfTensor } from '../oip/tensors/tensor-bytes.ts';
import { NUMERIC_TYPES } from '../../../../onnx/src/tensor/tensor.ts';

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** Random bits, but booleans are 0 and 1. */
export const numeric = fc.tuple(fc.constantFrom(...NUMERIC_TYPES), shape).chain(([type, sizes]) => {
  const length = elementCount(sizes) * elementSize(type);
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({
    type,
    shape: sizes,
    bytes: type === 'bool' ? bytes.map((byte) => byte & 1) : bytes,
  }));
});

export function strings(element: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Tensor> {
  return shape.chain((sizes) => {
    const length = elementCount(sizes);
    return fc
      .array(element, { minLength: length, maxLength: length })
      .map((elements): Tensor => ({ type: 'string', shape: sizes, elements }));
  });
}

export function plain(tensors: Iterable<readonly [string, Tensor]>): unknown {
  return Array.from(tensors, ([name, tensor]) => [
    name,
    tensor.type,
    [...tensor.shape],
    Buffer.from(bytesOfTensor(tensor)).toString('hex'),
  ]);
}
