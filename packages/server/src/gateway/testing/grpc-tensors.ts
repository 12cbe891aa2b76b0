/** Random tensors, and messages from the generated encoder, to compare with the hand-written one. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { datatypeOf } from '@skein/api';
import { elementCount, elementSize, values, type NumericType, type Tensor } from '@skein/onnx';
import { ModelInferRequestSchema } from '../oip/grpc/proto/inference.gen.ts';
import { bytesOfTensor } from '../oip/tensors/tensor-bytes.ts';

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
const numeric = fc.tuple(fc.constantFrom(...NUMERIC), shape).chain(([type, sizes]) => {
  const length = elementCount(sizes) * elementSize(type);
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes): Tensor => ({
    type,
    shape: sizes,
    bytes: type === 'bool' ? bytes.map((byte) => byte & 1) : bytes,
  }));
});
const strings = shape.chain((sizes) =>
  fc
    .array(fc.uint8Array({ maxLength: 9 }), {
      minLength: elementCount(sizes),
      maxLength: elementCount(sizes),
    })
    .map((elements): Tensor => ({ type: 'string', shape: sizes, elements })),
);
export const named = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.oneof(numeric, strings), {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
});

type Init<T> = Exclude<T, { $typeName: string } | undefined>;
export type Request = Init<MessageInitShape<typeof ModelInferRequestSchema>>;
export type Input = Init<NonNullable<Request['inputs']>[number]>;
type Contents = Init<Input['contents']>;

export function typedContents(tensor: Tensor): Contents {
  if (tensor.type === 'string') return { bytesContents: [...tensor.elements] };
  const list = Array.from(values(tensor) as ArrayLike<number>);
  switch (tensor.type) {
    case 'bool':
      return { boolContents: list.map(Boolean) };
    case 'int8':
    case 'int16':
    case 'int32':
      return { intContents: list };
    case 'int64':
      return { int64Contents: list as unknown as bigint[] };
    case 'uint64':
      return { uint64Contents: list as unknown as bigint[] };
    case 'float32':
      return { fp32Contents: list };
    case 'float64':
      return { fp64Contents: list };
    default:
      return { uintContents: list };
  }
}

export function head(name: string, tensor: Tensor): Input {
  return { name, datatype: datatypeOf(tensor.type), shape: tensor.shape.map(BigInt) };
}

export function encode(request: Request): Uint8Array {
  return toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, request));
}

export function plain(tensors: Iterable<readonly [string, Tensor]>): unknown {
  return Array.from(tensors, ([name, tensor]) => [
    name,
    tensor.type,
    [...tensor.shape],
    Buffer.from(bytesOfTensor(tensor)).toString('hex'),
  ]);
}
