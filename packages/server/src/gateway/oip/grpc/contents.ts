/**
 * Decodes `InferTensorContents`, the typed lists of gRPC, into tensors. Floats have the same layout
 * on the wire as in memory and are not copied; integers are varints and are decoded one by one.
 */
import type { SkeinError } from '@skein/api';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { elementCount, elementSize, type ElementType, type Tensor } from '@skein/onnx';
import { checkElementCount, plainBytes, tensorFromBytes } from '../tensors/tensor-bytes.ts';
import { invalidData } from '../../brief.ts';

interface ContentsField {
  readonly number: number;
  readonly name: string;
}

const BOOL = { number: 1, name: 'bool_contents' };
const INT = { number: 2, name: 'int_contents' };
const INT64 = { number: 3, name: 'int64_contents' };
const UINT = { number: 4, name: 'uint_contents' };
const UINT64 = { number: 5, name: 'uint64_contents' };
const FP32 = { number: 6, name: 'fp32_contents' };
const FP64 = { number: 7, name: 'fp64_contents' };
const BYTES = { number: 8, name: 'bytes_contents' };

const FIELDS: Readonly<Record<ElementType, ContentsField | undefined>> = {
  bool: BOOL,
  int8: INT,
  int16: INT,
  int32: INT,
  int64: INT64,
  uint8: UINT,
  uint16: UINT,
  uint32: UINT,
  uint64: UINT64,
  float16: undefined,
  bfloat16: undefined,
  float32: FP32,
  float64: FP64,
  string: BYTES,
};

/**
 * @param contents the bytes of the message; several if the sender split it.
 * @throws SkeinError INPUT_DATA; or any error if the bytes are not a message.
 */
export function tensorFromContents(
  type: ElementType,
  shape: readonly number[],
  contents: readonly Uint8Array[],
  input: string,
): Tensor {
  const field = FIELDS[type];
  if (field === undefined) {
    throw invalidData(
      `Input "${input}": ${type} has no typed contents in the protocol; send it in raw_input_contents.`,
    );
  }
  switch (type) {
    case 'string':
      return { type, shape, elements: readStrings(contents, field, shape, input) };
    case 'float32':
    case 'float64':
      return tensorFromBytes(
        type,
        shape,
        readFixed(contents, field, elementSize(type), shape, input),
        input,
      );
    default:
      return {
        type,
        shape,
        bytes: readVarints(type as IntegerType, contents, field, shape, input),
      };
  }
}

/** Empty lists that a sender may put between lists with values. */
const MAX_EMPTY = 4096;

/**
 * Calls `read` for every occurrence of the field.
 * @param count values allowed, one in each occurrence.
 * @throws SkeinError if another list has values.
 */
function forEachOf(
  contents: readonly Uint8Array[],
  field: ContentsField,
  count: number,
  input: string,
  read: (reader: BinaryReader, wireType: WireType) => void,
): void {
  let left = count + MAX_EMPTY;
  for (const message of contents) {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (--left < 0 || wireType === WireType.StartGroup) {
        throw invalidData(`Input "${input}" has more fields in its contents than values.`);
      }
      if (number === field.number) {
        read(reader, wireType);
      } else if (number <= BYTES.number) {
        throw invalidData(
          `Input "${input}" takes its values in ${field.name}, but another list is filled.`,
        );
      } else {
        reader.skip(wireType, number);
      }
    }
  }
}

/** A view if there is one packed list, as senders write it; otherwise a copy of the values of all lists. */
function readFixed(
  contents: readonly Uint8Array[],
  field: ContentsField,
  size: number,
  shape: readonly number[],
  input: string,
): Uint8Array {
  const count = elementCount(shape);
  if (count * size > bytesIn(contents)) throw miscounted(input, shape, 'fewer');
  let whole: Uint8Array | undefined;
  let sink: Uint8Array | undefined;
  let at = 0;
  forEachOf(contents, field, count, input, (reader, wireType) => {
    const values =
      wireType === WireType.LengthDelimited
        ? reader.bytes()
        : reader.skip(wireType).subarray(0, size);
    if (at + values.length > count * size) throw miscounted(input, shape, 'more');
    if (values.length === count * size) {
      whole = values;
    } else if (values.length > 0) {
      sink ??= new Uint8Array(count * size);
      sink.set(values, at);
    }
    at += values.length;
  });
  if (at < count * size) throw miscounted(input, shape, 'fewer');
  return whole ?? sink ?? new Uint8Array();
}

function bytesIn(contents: readonly Uint8Array[]): number {
  return contents.reduce((sum, { length }) => sum + length, 0);
}

function readStrings(
  contents: readonly Uint8Array[],
  field: ContentsField,
  shape: readonly number[],
  input: string,
): Uint8Array[] {
  const count = checkElementCount(elementCount(shape), input);
  const elements: Uint8Array[] = [];
  forEachOf(contents, field, count, input, (reader) => {
    if (elements.length === count) throw miscounted(input, shape, 'more');
    elements.push(plainBytes(reader.bytes()));
  });
  if (elements.length < count) throw miscounted(input, shape, 'fewer');
  return elements;
}

type IntegerType = Exclude<ElementType, 'string' | 'float16' | 'bfloat16' | 'float32' | 'float64'>;

const ARRAYS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

function readVarints(
  type: IntegerType,
  contents: readonly Uint8Array[],
  field: ContentsField,
  shape: readonly number[],
  input: string,
): Uint8Array {
  const count = elementCount(shape);
  // An element takes a byte at least: reject a larger shape before allocating memory for it.
  if (count > bytesIn(contents)) {
    throw miscounted(input, shape, 'fewer');
  }
  let index = 0;
  const readAll = (readOne: (reader: BinaryReader, index: number) => void): void => {
    forEachOf(contents, field, count, input, (reader, wireType) => {
      const end =
        wireType === WireType.LengthDelimited ? reader.uint32() + reader.pos : reader.pos + 1;
      if (end > reader.len) throw new RangeError('premature end');
      while (reader.pos < end) {
        if (index === count) throw miscounted(input, shape, 'more');
        readOne(reader, index++);
      }
    });
    if (index < count) throw miscounted(input, shape, 'fewer');
  };

  if (type === 'int64' || type === 'uint64') {
    const sink = new BigUint64Array(count);
    readAll((reader, at) => {
      sink[at] = BigInt(type === 'int64' ? reader.int64() : reader.uint64());
    });
    return new Uint8Array(sink.buffer);
  }
  const sink = new ARRAYS[type](count);
  const unsigned = field === UINT;
  readAll((reader, at) => {
    const value =
      type === 'bool' ? Number(reader.bool()) : unsigned ? reader.uint32() : reader.int32();
    sink[at] = value;
    if (sink[at] !== value) {
      throw invalidData(`Input "${input}" holds ${value}, which does not fit ${type}.`);
    }
  });
  return new Uint8Array(sink.buffer);
}

function miscounted(input: string, shape: readonly number[], how: 'more' | 'fewer'): SkeinError {
  return invalidData(
    `Input "${input}" has ${how} values than the ${elementCount(shape)} that its shape [${shape.join(', ')}] takes.`,
  );
}
