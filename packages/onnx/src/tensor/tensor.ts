/**
 * The value that all parts of Skein exchange: an element type, a shape and little-endian, row-major
 * bytes.
 *
 * Bytes instead of typed arrays, because a network API then passes on received bytes without a copy
 * and without caring about alignment, and a batch is one `set` per request. `values()` returns a
 * typed view for arithmetic.
 *
 * Element types are ONNX's own names (onnx.proto, TensorProto.DataType), in lower case.
 */
/** The typed array that holds each element type. 16-bit floats are their bits; booleans are 0 and 1. */
export interface ArrayOf {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}

export type NumericType = keyof ArrayOf;
export type NumericArray = ArrayOf[NumericType];

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

export type ElementType = NumericType | 'string';

export const NUMERIC_TYPES = Object.keys(ARRAY_CLASSES) as readonly NumericType[];
export const ELEMENT_TYPES: readonly ElementType[] = [...NUMERIC_TYPES, 'string'];

export interface NumericTensor {
  readonly type: NumericType;
  readonly shape: readonly number[];
  /** Little-endian, row-major; exactly `elementCount(shape) * elementSize(type)` bytes, at any alignment. */
  readonly bytes: Uint8Array;
}

export interface StringTensor {
  readonly type: 'string';
  readonly shape: readonly number[];
  /** One byte string per element. ONNX asks for UTF-8; compositions may carry any bytes, such as an image. */
  readonly elements: readonly Uint8Array[];
}

export type Tensor = NumericTensor | StringTensor;

/** Tensors by input or output name. */
export type TensorMap = ReadonlyMap<string, Tensor>;

/** A fixed size, a symbolic size (`"batch"`), or `null` where the model leaves it unnamed. */
export type Dimension = number | string | null;

export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
}

/** The inputs and outputs of a model: names, element types and shapes, in the graph's order. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

type ArrayClass = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
  from(values: readonly never[]): NumericArray;
};

/** The class of typed array that holds `type`, seen as one class whatever the type is. */
export function arrayClass(type: NumericType): ArrayClass {
  return ARRAY_CLASSES[type];
}

/** Bytes of one element. */
export function elementSize(type: NumericType): number {
  return ARRAY_CLASSES[type].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/**
 * Wraps a typed array without a copy. 16-bit floats are passed as the bits in a `Uint16Array`.
 * @throws TypeError for an array of another type, whose bytes would be read as other numbers.
 */
export function tensor<Type extends NumericType>(
  type: Type,
  shape: readonly number[],
  array: ArrayOf[Type],
): NumericTensor {
  checkArray(type, array);
  const expected = elementCount(shape) * elementSize(type);
  if (array.byteLength !== expected) {
    throw new RangeError(
      `A ${type} tensor of shape [${shape.join(', ')}] takes ${expected} bytes, but ${array.byteLength} were given.`,
    );
  }
  return { type, shape, bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength) };
}

/** By its name: an array of another realm, such as a frame of a page, has another class. */
function checkArray(type: NumericType, array: unknown): void {
  if (!Object.hasOwn(ARRAY_CLASSES, type)) {
    throw new TypeError(
      `There is no element type "${type}"; there are ${NUMERIC_TYPES.join(', ')}.`,
    );
  }
  const { name } = ARRAY_CLASSES[type];
  const given: unknown = (array as NumericArray | undefined)?.[Symbol.toStringTag];
  if (ArrayBuffer.isView(array) && given === name) return;
  const what = typeof given === 'string' ? given : Array.isArray(array) ? 'Array' : typeof array;
  throw new TypeError(`The numbers of a ${type} tensor must be in a ${name}, not in a ${what}.`);
}

/** Makes a string tensor; text is encoded as UTF-8, byte strings are kept as they are. */
export function stringTensor(
  shape: readonly number[],
  elements: readonly (string | Uint8Array)[],
): StringTensor {
  if (elements.length !== elementCount(shape)) {
    throw new RangeError(
      `A string tensor of shape [${shape.join(', ')}] takes ${elementCount(shape)} elements, but ${elements.length} were given.`,
    );
  }
  const encoder = new TextEncoder();
  return {
    type: 'string',
    shape,
    elements: elements.map((element) =>
      typeof element === 'string' ? encoder.encode(element) : element,
    ),
  };
}

/**
 * The typed view of a numeric tensor: no copy when the bytes are aligned, else one.
 * `float16` and `bfloat16` come as their bits in a `Uint16Array`, `bool` as a `Uint8Array` of 0 and 1.
 */
export function values(of: NumericTensor): NumericArray {
  const size = elementSize(of.type);
  // Not slice(): a Node Buffer's makes a view, not a copy.
  const aligned = of.bytes.byteOffset % size === 0 ? of.bytes : new Uint8Array(of.bytes);
  const count = aligned.byteLength / size;
  const { buffer, byteOffset } = aligned;
  // Not `arrayClass`: requests come this way, and one call to many classes takes twice as long.
  switch (of.type) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, count);
    case 'float64':
      return new Float64Array(buffer, byteOffset, count);
    case 'int8':
      return new Int8Array(buffer, byteOffset, count);
    case 'int16':
      return new Int16Array(buffer, byteOffset, count);
    case 'int32':
      return new Int32Array(buffer, byteOffset, count);
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, count);
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(buffer, byteOffset, count);
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, count);
    case 'uint64':
      return new BigUint64Array(buffer, byteOffset, count);
    case 'uint8':
    case 'bool':
      return aligned;
  }
}
