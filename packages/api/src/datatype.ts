/**
 * Element types and their names in the Open Inference Protocol. Typed arrays are used as they lie in
 * memory: every platform that Skein runs on is little-endian, as the protocol's binary form is.
 */
import type { ElementType } from '@skein/onnx';

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
