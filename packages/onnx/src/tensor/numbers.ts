/** Tensors of numbers, whatever the element type: 16-bit floats and 64-bit integers are converted. */
import { float16ToNumber, numberToBfloat16, numberToFloat16 } from './half.ts';
import { unsupportedModel } from '../onnx-error.ts';
import {
  arrayClass,
  elementCount,
  tensor,
  values,
  type ElementType,
  type NumericArray,
  type NumericTensor,
  type NumericType,
  type Tensor,
} from './tensor.ts';

/** A small tensor of one repeated value. */
export function filled(type: ElementType, shape: readonly number[], value: number): Tensor {
  if (type === 'string') throw unsupportedModel('Constants of strings are not written.');
  const repeated = Array.from({ length: elementCount(shape) }, () => value);
  return tensorOfNumbers(type, shape, repeated);
}

/**
 * @param numbers of the type: whole ones for integers, 0 and 1 for booleans.
 * @throws RangeError for a number that an integer or a boolean cannot hold; floats round it.
 */
export function tensorOfNumbers(
  type: NumericType,
  shape: readonly number[],
  numbers: readonly (number | bigint)[],
): NumericTensor {
  const convert = CONVERSIONS[type] ?? Number;
  const converted = numbers.map(convert);
  const array = arrayClass(type).from(converted as never[]);
  if (!type.includes('float')) requireHeld(type, array, converted);
  return tensor(type, shape, array);
}

/**
 * The safe integer nearest to a 64-bit one. No size, axis, position or width of a tensor is beyond
 * 2^53, so that an end of 2^63 − 1, "up to the last", means the same. Arithmetic on a number at that
 * limit has no meaning: see `isExact`.
 */
export function nearestNumber(value: number | bigint): number {
  const number = Number(value);
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(number, Number.MAX_SAFE_INTEGER));
}

/** Whether `nearestNumber` returned the 64-bit integer as it was. */
export function isExact(number: number): boolean {
  return Math.abs(number) < Number.MAX_SAFE_INTEGER;
}

function requireHeld(
  type: NumericType,
  array: NumericArray,
  given: readonly (number | bigint)[],
): void {
  for (let i = 0; i < given.length; i++) {
    if (array[i] === given[i] && (type !== 'bool' || given[i]! <= 1)) continue;
    throw new RangeError(`${given[i]} does not fit ${type}.`);
  }
}

const CONVERSIONS: { readonly [T in NumericType]?: (value: number | bigint) => number | bigint } = {
  float16: (value) => numberToFloat16(Number(value)),
  bfloat16: (value) => numberToBfloat16(Number(value)),
  int64: BigInt,
  uint64: BigInt,
};

/** The elements as numbers: the elements of `values`, with 16-bit floats widened. */
export function numbersOf(of: NumericTensor): NumericArray | Float16Array {
  const elements = values(of);
  if (of.type === 'bfloat16') {
    // The upper half of a float32.
    const words = new Uint32Array(elements.length);
    for (let i = 0; i < words.length; i++) words[i] = (elements as Uint16Array)[i]! << 16;
    return new Float32Array(words.buffer);
  }
  if (of.type !== 'float16') return elements;
  return 'Float16Array' in globalThis
    ? new Float16Array(elements.buffer, elements.byteOffset, elements.length)
    : Float32Array.from(elements as Uint16Array, float16ToNumber);
}

/**
 * `JSON.parse` that keeps 64-bit integers: one that a number would round becomes a bigint.
 *
 * @throws SyntaxError when the text is not JSON.
 */
export function parseExactJson(text: string): unknown {
  // Only long runs of digits can be rounded; to look at every value takes several times as long.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    const source = context?.source ?? '';
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}
