/**
 * Reads .npy files, NumPy's own format (numpy.lib.format, versions 1 to 3): a magic word, a Python
 * dictionary with type, order and shape, then the values.
 */
import {
  elementCount,
  elementSize,
  stringTensor,
  type NumericType,
  type Tensor,
} from '@skein/onnx';

const TYPES: Readonly<Record<string, NumericType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

/** @throws Error when the bytes are not a .npy file of a supported type. */
export function readNpy(file: Uint8Array): Tensor {
  const { descriptor, fortranOrder, shape, dataAt } = readHeader(file);
  const count = elementCount(shape);
  const match = /^([<>|=])([A-Za-z])(\d*)$/.exec(descriptor);
  if (match === null) throw new Error(`its type ${descriptor} is not a plain one`);
  const [, order = '', kind = '', width = ''] = match;
  const type = TYPES[`${kind}${width}`];
  const isText = kind === 'S' || kind === 'U';
  if (type === undefined && !isText)
    throw new Error(`its type ${descriptor} has no ONNX element type`);
  const size = type === undefined ? Number(width) * (kind === 'U' ? 4 : 1) : elementSize(type);
  const data = file.subarray(dataAt, dataAt + count * size);
  if (data.byteLength < count * size) {
    throw new Error(
      `it is cut off: ${count * size} bytes of values are announced, ${data.byteLength} are there`,
    );
  }
  const swapped = order === '>' ? swapBytes(data, kind === 'U' ? 4 : size) : data.slice();
  const ordered = fortranOrder ? toRowMajor(swapped, shape, size) : swapped;
  if (type !== undefined) return { type, shape, bytes: ordered };
  const elements = Array.from({ length: count }, (_, index) =>
    kind === 'U'
      ? fixedText(ordered.subarray(index * size, (index + 1) * size))
      : fixedBytes(ordered.subarray(index * size, (index + 1) * size)),
  );
  return stringTensor(shape, elements);
}

interface Header {
  readonly descriptor: string;
  readonly fortranOrder: boolean;
  readonly shape: number[];
  readonly dataAt: number;
}

function readHeader(file: Uint8Array): Header {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (magic.some((byte, index) => file[index] !== byte)) throw new Error('it is not a .npy file');
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const wide = (file[6] ?? 0) >= 2;
  const start = wide ? 12 : 10;
  if (file.byteLength < start) throw new Error('it is cut off inside its header');
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > file.byteLength) throw new Error('it is cut off inside its header');
  const header = new TextDecoder().decode(file.subarray(start, start + length));
  const descriptor = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (descriptor === undefined || order === undefined || sizes === undefined) {
    throw new Error('its header names no plain type, order and shape');
  }
  const shape = sizes
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number);
  return { descriptor, fortranOrder: order === 'True', shape, dataAt: start + length };
}

function swapBytes(data: Uint8Array, size: number): Uint8Array {
  const swapped = data.slice();
  for (let at = 0; at < swapped.length; at += size) swapped.subarray(at, at + size).reverse();
  return swapped;
}

/** Column-major to row-major. */
function toRowMajor(data: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const result = new Uint8Array(data.byteLength);
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => elementCount(shape.slice(0, axis)));
  for (let to = 0; to < result.length; to += size) {
    const from = index.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0) * size;
    result.set(data.subarray(from, from + size), to);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next;
      if (next < (shape[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
  return result;
}

/** NumPy pads with zero bytes. */
function fixedBytes(element: Uint8Array): Uint8Array {
  let end = element.length;
  while (end > 0 && element[end - 1] === 0) end -= 1;
  return element.slice(0, end);
}

const LAST_CODE_POINT = 0x10_ff_ff;

/** UTF-32, little-endian. @throws Error for what is no character. */
function fixedText(element: Uint8Array): string {
  const view = new DataView(element.buffer, element.byteOffset, element.byteLength);
  let text = '';
  for (let at = 0; at < element.byteLength; at += 4) {
    const code = view.getUint32(at, true);
    if (code > LAST_CODE_POINT)
      throw new Error(`it holds the character ${code}, which Unicode lacks`);
    if (code !== 0) text += String.fromCodePoint(code);
  }
  return text;
}
