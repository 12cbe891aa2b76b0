/** Tensors in the protocol's binary form, shared by HTTP and gRPC. */
import { elementTypeOf, SkeinError } from '@skein/api';
import {
  elementCount,
  elementSize,
  type ElementType,
  type Tensor,
  type TensorMap,
} from '@skein/onnx';
import { brief, invalidData } from '../../brief.ts';
import { decodeElements, encodeElements } from './bytes-elements.ts';

/** ONNX Runtime allows more, but no model needs them, and it bounds the cost of a hostile shape. */
export const MAX_RANK = 32;
/**
 * Each element of a string tensor costs an object, however short it is, and all elements are packed
 * and unpacked on the way to a replica and back: a million would block the event loop for a second.
 */
export const MAX_STRINGS = 1 << 16;

/** The largest sum of all tensors of a request: they take about 80 MiB while they are decoded. */
const MAX_STRINGS_OF_ALL = 4 * MAX_STRINGS;

/** @throws SkeinError INPUT_DATATYPE for a name that the protocol does not have. */
export function elementTypeFor(datatype: string, input: string): ElementType {
  const type = elementTypeOf(datatype);
  if (type !== undefined) return type;
  throw new SkeinError(
    'INPUT_DATATYPE',
    `Input "${input}" has the datatype "${datatype}", which the protocol does not have.`,
  );
}

/** @throws SkeinError INPUT_SHAPE unless every size is a whole number from 0 on. */
export function checkedShape(shape: unknown, input: string): readonly number[] {
  const valid =
    Array.isArray(shape) &&
    shape.length <= MAX_RANK &&
    shape.every((size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0);
  // The product too: a shape must not overflow when it is converted to a byte count.
  if (valid && Number.isSafeInteger(elementCount(shape as number[]))) return shape as number[];
  throw new SkeinError(
    'INPUT_SHAPE',
    `The shape of input "${input}" must be at most ${MAX_RANK} whole numbers from 0 on, but it is ${brief(shape)}.`,
  );
}

/**
 * A tensor over the received bytes, without a copy.
 * @throws SkeinError INPUT_DATA if the bytes do not fill the shape.
 */
export function tensorFromBytes(
  type: ElementType,
  shape: readonly number[],
  bytes: Uint8Array,
  input: string,
): Tensor {
  const count = elementCount(shape);
  if (type === 'string') {
    const elements = decodeElements(bytes, checkElementCount(count, input), input);
    return { type, shape, elements };
  }
  const expected = count * elementSize(type);
  if (bytes.length !== expected) {
    throw invalidData(
      `Input "${input}" has ${bytes.length} bytes; ${type} of shape [${shape.join(', ')}] takes ${expected}.`,
    );
  }
  if (type === 'bool') {
    const byte = notBool(bytes);
    if (byte !== undefined) {
      throw invalidData(`Input "${input}" holds the byte ${byte}, where bool takes 0 or 1.`);
    }
  }
  return { type, shape, bytes: plainBytes(bytes) };
}

/** The first byte that is neither 0 nor 1. Four are checked at once: 64 MiB take 10 ms. */
function notBool(bytes: Uint8Array): number | undefined {
  const { buffer, byteOffset, byteLength } = bytes;
  const head = -byteOffset & 3;
  if (byteLength <= head) return bytes.find((byte) => byte > 1);
  const words = new Uint32Array(buffer, byteOffset + head, (byteLength - head) >>> 2);
  let any = 0;
  for (let index = 0; index < words.length; index++) any |= words[index]!;
  for (let index = 0; index < head; index++) any |= bytes[index]!;
  for (let index = head + 4 * words.length; index < byteLength; index++) any |= bytes[index]!;
  return (any & 0xfefefefe) === 0 ? undefined : bytes.find((byte) => byte > 1);
}

/**
 * The same memory as a plain `Uint8Array`. A Buffer's `slice` does not copy, but users of a tensor
 * rely on a copy.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bounds the cost of a string tensor. @throws SkeinError INPUT_DATA. */
export function checkElementCount(count: number, input: string): number {
  if (count <= MAX_STRINGS) return count;
  throw invalidData(
    `Input "${input}" claims ${count} elements; a BYTES tensor may have ${MAX_STRINGS}.`,
  );
}

/**
 * @param before strings of the inputs before this one.
 * @returns the strings with this one. @throws SkeinError INPUT_DATA.
 */
export function addStrings(before: number, shape: readonly number[]): number {
  // A tensor that claims more is refused alone.
  const strings = before + Math.min(elementCount(shape), MAX_STRINGS);
  if (strings <= MAX_STRINGS_OF_ALL) return strings;
  throw invalidData(
    `The BYTES tensors of the request claim ${strings} elements or more; together they may have ${MAX_STRINGS_OF_ALL}.`,
  );
}

/** The binary form of a tensor; numbers are not copied. */
export function bytesOfTensor(tensor: Tensor): Uint8Array {
  return tensor.type === 'string' ? encodeElements(tensor.elements) : tensor.bytes;
}

/** Memory of the view of one string without its bytes, with Node 24. */
const STRING_BYTES = 128;

/** Approximate memory of tensors that were decoded from a request, without the bytes of strings: views on it. */
export function bytesHeld(tensors: TensorMap): number {
  let sum = 0;
  for (const tensor of tensors.values()) {
    sum += tensor.type === 'string' ? tensor.elements.length * STRING_BYTES : tensor.bytes.length;
  }
  return sum;
}

/** Approximate memory of tensors that a run has made. */
export function bytesMade(tensors: TensorMap): number {
  let sum = bytesHeld(tensors);
  for (const tensor of tensors.values()) {
    if (tensor.type === 'string') for (const { length } of tensor.elements) sum += length;
  }
  return sum;
}
