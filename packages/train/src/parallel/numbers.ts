/** Tensors that lie one after the other in one array, so that many can be summed or sent as one. */
import { elementCount, type NumericTensor } from '@skein/onnx';
import type { FloatType, Kept } from '../optimisers/updates.ts';
import type { Tensors } from '../run/backend.ts';

export type Numbers = Float32Array | Float64Array;

export function bytesPerNumber(type: FloatType): number {
  return type === 'float64' ? 8 : 4;
}

/** An array over memory; `length` in numbers. */
export function numbersIn(type: FloatType, memory: ArrayBufferLike, length: number): Numbers {
  return type === 'float64'
    ? new Float64Array(memory, 0, length)
    : new Float32Array(memory, 0, length);
}

export function typeOfNumbers(numbers: Numbers): FloatType {
  return numbers instanceof Float64Array ? 'float64' : 'float32';
}

/** The numbers as a tensor of the same memory. */
export function tensorOver(numbers: Numbers, shape: readonly number[]): NumericTensor {
  return { type: typeOfNumbers(numbers), shape, bytes: bytesOf(numbers) };
}

export function bytesOf({ buffer, byteOffset, byteLength }: Numbers): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function lengthOf(kept: readonly Kept[]): number {
  return kept.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/** The tensors in an array that holds them in this order, by name; views of its memory. */
export function viewsOf(
  kept: readonly Kept[],
  numbers: Numbers,
  nameOf: (name: string) => string = (name) => name,
): Map<string, NumericTensor> {
  const views = new Map<string, NumericTensor>();
  let at = 0;
  for (const { name, shape } of kept) {
    const end = at + elementCount(shape);
    views.set(nameOf(name), tensorOver(numbers.subarray(at, end), shape));
    at = end;
  }
  return views;
}

/** Copies the bytes of tensors into the tensors of the same names. */
export function fill(views: Tensors, from: Tensors): void {
  for (const [name, { bytes }] of views) {
    const given = from.get(name);
    if (given !== undefined) bytes.set(given.bytes);
  }
}
