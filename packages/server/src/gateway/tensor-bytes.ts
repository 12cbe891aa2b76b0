/** Tensors from and to the protocol's binary form, shared by HTTP and gRPC. */
import { SkeinError } from '@skein/api';
import { elementCount, elementSize, type ElementType, type Tensor } from '@skein/onnx';
import { decodeElements, encodeElements } from './bytes-elements.ts';

/** ONNX Runtime allows more, but no model has them, and it bounds what a hostile shape can cost. */
export const MAX_RANK = 32;
/** Each element of a string tensor costs an object, however short it is. */
const MAX_STRINGS = 1 << 20;

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
    for (const byte of bytes) {
      if (byte > 1) {
        throw new SkeinError(
          'INPUT_DATA',
          `Input "${input}" holds the byte ${byte}, where bool takes 0 or 1.`,
        );
      }
    }
  }
  return { type, shape, bytes: plainBytes(bytes) };
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
  const text = jsonOf(value) ?? 'missing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** Values come from a parser that takes any depth; the writer does not. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return 'nested too deeply';
    throw error;
  }
}
