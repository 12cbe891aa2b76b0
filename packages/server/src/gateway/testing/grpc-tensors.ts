/** Random tensors, and messages from the generated encoder, to compare with the hand-written one. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { datatypeOf } from '@skein/api';
import { values, type Tensor } from '@skein/onnx';
import { ModelInferRequestSchema } from '../oip/grpc/proto/inference.gen.ts';
import { numeric, strings } from './random-tensors.ts';

export const named = fc.dictionary(
  fc.string({ unit: 'grapheme' }),
  fc.oneof(numeric, strings(fc.uint8Array({ maxLength: 9 }))),
  {
    minKeys: 1,
    maxKeys: 4,
    noNullPrototype: true,
  },
);

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
