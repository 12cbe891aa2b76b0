/**
 * Element types and their names in the Open Inference Protocol. Typed arrays are used as they lie in
 * memory: every platform that Skein runs on is little-endian, as the protocol's binary form is.
 */
import type { ArrayOf, ElementType, NumericArray, NumericType } from '@skein/onnx/tensor';

const DATATYPES = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  bfloat16: 'BF16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  bool: 'BOOL',
  string: 'BYTES',
} as const satisfies Record<ElementType, string>;

/** A datatype name of the Open Inference Protocol. */
export type Datatype = (typeof DATATYPES)[ElementType];

const ELEMENT_TYPES = new Map<string, ElementType>(
  (Object.keys(DATATYPES) as ElementType[]).map((type) => [DATATYPES[type], type]),
);

export function datatypeOf(type: ElementType): Datatype {
  return DATATYPES[type];
}

/** The element type of a datatype name; absent when the protocol has no such name. */
export function elementTypeOf(datatype: string): ElementType | undefined {
  return ELEMENT_TYPES.get(datatype);
}

type ArrayClass = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
  from(values: readonly never[]): NumericArray;
};

/** The same classes as in `@skein/onnx`. The client imports only its types, so that it runs in a page without another package. */
const ARRAY_CLASSES = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const satisfies { readonly [T in NumericType]: new (length: number) => ArrayOf[T] };

/** The class of typed array that holds `type`, seen as one class whatever the type is. */
export function arrayClass(type: NumericType): ArrayClass {
  return ARRAY_CLASSES[type];
}
