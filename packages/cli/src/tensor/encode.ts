/** Numbers and texts as the bytes of a tensor. */
import {
  elementCount,
  numbersOf,
  stringTensor,
  tensorOfNumbers,
  type ElementType,
  type NumericType,
  type Tensor,
} from '@skein/onnx';

/** Whole-number types and the values that they hold, both ends included. */
const INTEGER_RANGES: Readonly<Partial<Record<NumericType, readonly [bigint, bigint]>>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** JSON values of an element. 64-bit integers beyond 2^53 are bigints, or strings. */
export type Scalar = number | bigint | string | boolean | null;

export function isScalar(value: unknown): value is Scalar {
  return value === null || ['number', 'bigint', 'string', 'boolean'].includes(typeof value);
}

/** @throws Error when a value does not fit the element type, naming it. */
export function encodeValues(
  type: ElementType,
  shape: readonly number[],
  scalars: readonly Scalar[],
): Tensor {
  if (elementCount(shape) !== scalars.length) {
    throw new Error(
      `shape [${shape.join(', ')}] takes ${elementCount(shape)} values, not ${scalars.length}`,
    );
  }
  // A missing value: no text, or NaN, as the node reads it from JSON.
  if (type === 'string')
    return stringTensor(
      shape,
      scalars.map((scalar) => String(scalar ?? '')),
    );
  const tensor = tensorOfNumbers(type, shape, scalars.map(readerOf(type)));
  if (!type.includes('float')) return tensor;
  const held = numbersOf(tensor);
  const unfit = scalars.findIndex(
    (scalar, at) =>
      scalar !== null && typeof scalar !== 'string' && !Number.isFinite(Number(held[at])),
  );
  if (unfit !== -1) throw new Error(`${shown(scalars[unfit]!)} does not fit ${type}`);
  return tensor;
}

function readerOf(type: NumericType): (scalar: Scalar) => number | bigint {
  if (type === 'bool') return toBool;
  return type.includes('float') ? toNumber : (scalar) => toInteger(scalar, type);
}

function toNumber(scalar: Scalar): number {
  if (scalar === null) return Number.NaN;
  const named = typeof scalar === 'string' ? NAMED_NUMBERS[scalar] : undefined;
  const isNumber = typeof scalar === 'number' || typeof scalar === 'bigint';
  const number = named ?? (isNumber ? Number(scalar) : Number.NaN);
  if (named === undefined && Number.isNaN(number))
    throw new Error(`${shown(scalar)} is not a number`);
  return number;
}

/** JSON cannot represent these. */
const NAMED_NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

function toBool(scalar: Scalar): number {
  if (scalar === true || scalar === 1) return 1;
  if (scalar === false || scalar === 0) return 0;
  throw new Error(`${shown(scalar)} is not true or false`);
}

function toInteger(scalar: Scalar, type: NumericType): bigint {
  const [min, max] = INTEGER_RANGES[type] ?? [0n, 0n];
  const whole =
    typeof scalar === 'bigint' ||
    (typeof scalar === 'number' && Number.isInteger(scalar)) ||
    (typeof scalar === 'string' && /^-?\d+$/.test(scalar));
  const integer = whole ? BigInt(scalar) : undefined;
  if (integer === undefined || integer < min || integer > max) {
    throw new Error(`${shown(scalar)} is not a whole number of ${type}`);
  }
  return integer;
}

function shown(scalar: Scalar): string {
  const json = typeof scalar === 'bigint' ? String(scalar) : JSON.stringify(scalar);
  return json.length > 40 ? `${json.slice(0, 39)}…` : json;
}
