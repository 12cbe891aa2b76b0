/**
 * Converts between ONNX's numbers of element types (onnx.proto, TensorProto.DataType) and Skein's
 * names.
 */
import { ELEMENT_TYPES, type ElementType } from './tensor.ts';

/**
 * Bits of one element when stored as raw bytes, of every name of TensorProto.DataType in the order of
 * its numbers; strings have no size.
 */
const BITS: Readonly<Record<string, number | undefined>> = {
  undefined: undefined,
  float32: 32,
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  int32: 32,
  int64: 64,
  string: undefined,
  bool: 8,
  float16: 16,
  float64: 64,
  uint32: 32,
  uint64: 64,
  complex64: 64,
  complex128: 128,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  uint4: 4,
  int4: 4,
  float4e2m1: 4,
  float8e8m0: 8,
  uint2: 2,
  int2: 2,
};

const NAMES = Object.keys(BITS);

const SERVED: ReadonlySet<string> = new Set(ELEMENT_TYPES);

/** The name of an element type number, also of those that tensors here cannot have. */
export function elementTypeName(number: number): string {
  return NAMES[number] ?? `type ${number}`;
}

/** The element type of that number, or `undefined` where a tensor here cannot have it (complex, sub-byte, float8). */
export function elementTypeOf(number: number): ElementType | undefined {
  const name = NAMES[number];
  return name !== undefined && SERVED.has(name) ? (name as ElementType) : undefined;
}

/** ONNX's number of an element type. */
export function elementTypeNumber(type: ElementType | 'int4' | 'uint4'): number {
  return NAMES.indexOf(type);
}

/** Bytes of `count` elements stored as raw bytes, sub-byte types packed; `undefined` for strings and unknown types. */
export function rawByteLength(number: number, count: number): number | undefined {
  const bits = BITS[elementTypeName(number)];
  return bits === undefined ? undefined : Math.ceil((count * bits) / 8);
}

/** Elements of a stored tensor; beyond 2^53 only roughly, which no file can hold anyway. */
export function countOf(dims: readonly bigint[]): number {
  return dims.reduce((product, size) => product * Number(size), 1);
}
