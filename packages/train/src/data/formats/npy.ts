/**
 * NumPy's `.npy`: a header with type, order and shape, then the elements.
 *
 * Follows NEP 1, "A Simple File Format for NumPy Arrays", versions 1 to 3. Arrays in Fortran order
 * and big-endian elements are brought into row-major, little-endian order.
 */
import {
  elementCount,
  elementSize,
  stringTensor,
  type NumericTensor,
  type NumericType,
  type Tensor,
} from '@skein/onnx';
import { dataError } from '../../train-error.ts';
import { requireElements, rowsOfArray, swapped, type ArrayLayout } from '../rows/array-rows.ts';
import type { RowStore, StoredBytes, StoredRows } from '../rows/stored.ts';

const TYPES: Readonly<Record<string, NumericType>> = {
  b1: 'bool',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

/** The array as a tensor; its bytes are a view of those given where order and endianness allow. @throws TrainError `data`. */
export function parseNpy(bytes: Uint8Array, what = 'The file'): NumericTensor {
  const layout = npyLayout(bytes, what);
  const { type, shape } = layout;
  return { type, shape, bytes: elementsOf(bytes, layout, elementSize(type), what) };
}

/** Like `parseNpy`, also for texts of a fixed length, in bytes (`S`) or characters (`U`). */
export function readNpy(bytes: Uint8Array, what = 'The file'): Tensor {
  const header = npyHeader(bytes, what);
  const [, kind, width] = /^[<>|=]([SU])([1-9]\d*)$/.exec(header.descriptor) ?? [];
  if (kind === undefined) return parseNpy(bytes, what);
  const type = kind === 'U' ? 'uint32' : 'uint8';
  const size = elementSize(type) * Number(width);
  const layout = { ...header, type, shape: [...header.shape, Number(width)] } as const;
  const elements = elementsOf(bytes, layout, size, what);
  const texts = Array.from({ length: elementCount(header.shape) }, (_, index) => {
    const element = elements.subarray(index * size, (index + 1) * size);
    return kind === 'U' ? fixedText(element, what) : fixedBytes(element);
  });
  return stringTensor(header.shape, texts);
}

/** Row-major and little-endian. @param size bytes of what is moved as one. */
function elementsOf(
  bytes: Uint8Array,
  layout: ArrayLayout,
  size: number,
  what: string,
): Uint8Array {
  const { type, shape, start, bigEndian, columnMajor } = layout;
  const elements = bytes.subarray(start);
  requireElements(layout, elements.byteLength, what);
  const unit = elementSize(type);
  const little = bigEndian && unit > 1 ? swapped(elements, unit) : elements;
  const axes = size === unit ? shape : shape.slice(0, -1);
  return columnMajor && axes.length > 1 ? transposed(little, axes, size) : little;
}

/** Bytes that hold any header: its length is a number of 16 bits, but for more columns than rows have. */
const HEADER = 1 << 16;

/** The array in a file, between two offsets. @throws TrainError `data`. */
export function storedNpy(
  source: StoredBytes,
  { from = 0, end = source.byteLength, store, what = 'The file' }: StoredNpyOptions,
): StoredRows {
  const head = new Uint8Array(Math.min(HEADER, end - from));
  source.read(from, head);
  const layout = npyLayout(head, what);
  return rowsOfArray(source, { ...layout, start: from + layout.start }, { end, store, what });
}

export interface StoredNpyOptions {
  readonly from?: number;
  readonly end?: number;
  /** For elements that are not row-major and little-endian. */
  readonly store: RowStore;
  readonly what?: string;
}

interface Header extends Omit<ArrayLayout, 'type'> {
  /** The type as written, such as `<f4`; a list for records. */
  readonly descriptor: string;
}

function npyLayout(bytes: Uint8Array, what: string): ArrayLayout {
  const header = npyHeader(bytes, what);
  const type = TYPES[header.descriptor.slice(1)];
  if (type !== undefined && /^[<>|=][a-z]\d$/.test(header.descriptor)) return { ...header, type };
  throw dataError(`${what} has elements of type ${header.descriptor}, which cannot be read.`);
}

function npyHeader(bytes: Uint8Array, what: string): Header {
  if (bytes.byteLength < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== '\x93NUMPY') {
    throw dataError(`${what} is not a NumPy array.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6]! >= 2;
  const start = long ? 12 : 10;
  if (bytes.byteLength < start) throw dataError(`${what} is cut off in its header.`);
  const end = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.byteLength) throw dataError(`${what} is cut off in its header.`);
  const header = new TextDecoder().decode(bytes.subarray(start, end));
  const [, plain, record] = /'descr':\s*(?:'([^']*)'|(\[.*\]))/.exec(header) ?? [];
  const descriptor = plain ?? record;
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const dims = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (descriptor === undefined || dims === undefined || order === undefined) {
    throw dataError(`${what} has a header without type, shape and order: ${header.trim()}`);
  }
  const shape = dims
    .split(',')
    .map((size) => size.trim())
    .filter(Boolean)
    .map(Number);
  const bigEndian = descriptor.startsWith('>');
  return { descriptor, shape, start: end, bigEndian, columnMajor: order === 'True' };
}

/** NumPy pads with zero bytes. */
function fixedBytes(element: Uint8Array): Uint8Array {
  return element.slice(0, element.findLastIndex((byte) => byte !== 0) + 1);
}

const LAST_CODE_POINT = 0x10_ff_ff;

/** UTF-32, little-endian. @throws TrainError for what is no character. */
function fixedText(element: Uint8Array, what: string): string {
  const view = new DataView(element.buffer, element.byteOffset, element.byteLength);
  let text = '';
  let end = element.byteLength;
  // NumPy pads with the character 0, and one before the last other character is part of the text.
  while (end > 0 && view.getUint32(end - 4, true) === 0) end -= 4;
  for (let at = 0; at < end; at += 4) {
    const code = view.getUint32(at, true);
    if (code > LAST_CODE_POINT) {
      throw dataError(`${what} holds the character ${code}, which Unicode lacks.`);
    }
    text += String.fromCodePoint(code);
  }
  return text;
}

/** From column-major order, in which the first index runs fastest, to row-major order. */
function transposed(bytes: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const result = new Uint8Array(bytes.byteLength);
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const index = shape.map(() => 0);
  for (let from = 0; from < bytes.byteLength; from += size) {
    let to = 0;
    for (let axis = 0; axis < index.length; axis++) to += index[axis]! * strides[axis]!;
    result.set(bytes.subarray(from, from + size), to * size);
    for (let axis = 0; axis < index.length; axis++) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return result;
}
