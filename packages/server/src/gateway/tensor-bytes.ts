/** Tensors from and to the protocol's binary form, shared by HTTP and gRPC. */
import { SkeinError } from '@skein/api';
import {
  elementCount,
  elementSize,
  type ElementType,
  type Tensor,
  type TensorMap,
} from '@skein/onnx';
import { decodeElements, encodeElements } from './bytes-elements.ts';

/** ONNX Runtime allows more, but no model has them, and it bounds what a hostile shape can cost. */
export const MAX_RANK = 32;
/**
 * Each element of a string tensor costs an object, however short it is, and is touched one by one on
 * its way to the model and back: ten milliseconds each time for so many.
 */
const MAX_STRINGS = 1 << 17;

/** @throws SkeinError INPUT_SHAPE unless every size is a whole number from 0 on. */
export function checkedShape(shape: unknown, input: string): readonly number[] {
  const valid =
    Array.isArray(shape) &&
    shape.length <= MAX_RANK &&
    shape.every((size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0);
  // The product too: a shape may not overflow on its way to a byte count.
  if (valid && Number.isSafeInteger(elementCount(shape as number[]))) return shape as number[];
  throw new SkeinError(
    'INPUT_SHAPE',
    `The shape of input "${input}" must be at most ${MAX_RANK} whole numbers from 0 on, but it is ${brief(shape)}.`,
  );
}

/**
 * A tensor over the received bytes, without a copy.
 * @throws SkeinError INPUT_DATA when the bytes do not fill the shape.
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
    throw new SkeinError(
      'INPUT_DATA',
      `Input "${input}" has ${bytes.length} bytes; ${type} of shape [${shape.join(', ')}] takes ${expected}.`,
    );
  }
  if (type === 'bool') {
    const at = firstAboveOne(bytes);
    if (at !== undefined) {
      throw new SkeinError(
        'INPUT_DATA',
        `Input "${input}" holds the byte ${bytes[at]}, where bool takes 0 or 1.`,
      );
    }
  }
  return { type, shape, bytes: plainBytes(bytes) };
}

/** Looks at four bytes at a time: it stands on the hot path of masks with millions of elements. */
function firstAboveOne(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length & ~3;
  let at = 0;
  while (at < whole && (view.getUint32(at) & 0xfe_fe_fe_fe) === 0) at += 4;
  while (at < bytes.length && bytes[at]! <= 1) at++;
  return at < bytes.length ? at : undefined;
}

/**
 * The same memory as a plain `Uint8Array`. A Buffer's `slice` does not copy, which whoever holds a
 * tensor must be able to rely on.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bounds what a string tensor may cost. @throws SkeinError INPUT_DATA. */
export function checkElementCount(count: number, input: string): number {
  if (count <= MAX_STRINGS) return count;
  throw new SkeinError(
    'INPUT_DATA',
    `Input "${input}" claims ${count} elements; a BYTES tensor may have ${MAX_STRINGS}.`,
  );
}

/** The binary form of a tensor; numbers are not copied. */
export function bytesOfTensor(tensor: Tensor): Uint8Array {
  return tensor.type === 'string' ? encodeElements(tensor.elements) : tensor.bytes;
}

/** A value from the client, short enough for a message. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** What the view of one string takes beside its bytes, with Node 24. */
const STRING_BYTES = 128;

/** Memory of tensors that were read from a request, about. */
export function bytesHeld(tensors: TensorMap): number {
  let sum = 0;
  for (const tensor of tensors.values()) {
    // The bytes of strings are views on the request.
    sum += tensor.type === 'string' ? tensor.elements.length * STRING_BYTES : tensor.bytes.length;
  }
  return sum;
}
