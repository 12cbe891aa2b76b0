/**
 * IDX, the format of the MNIST family: a magic number with element type and rank, the sizes, then
 * the elements in big-endian order. Files may be gzip.
 *
 * Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", file format.
 */
import { elementSize, type NumericTensor, type NumericType } from '@skein/onnx';
import { dataError } from '../../train-error.ts';
import { requireElements, rowsOfArray, swapped, type ArrayLayout } from '../rows/array-rows.ts';
import { bytesOf, collected, type ByteSource } from '../bytes.ts';
import type { RowStore, StoredRows } from '../rows/stored.ts';

const TYPES: Readonly<Record<number, NumericType>> = {
  0x08: 'uint8',
  0x09: 'int8',
  0x0b: 'int16',
  0x0c: 'int32',
  0x0d: 'float32',
  0x0e: 'float64',
};

/**
 * @param store receives arrays that are larger than memory; default: the array is in memory,
 * whatever its size.
 * @throws TrainError `data` when the file has another format, or the number of elements does not
 * match its sizes.
 */
export async function readIdx(source: ByteSource): Promise<NumericTensor>;
export async function readIdx(
  source: ByteSource,
  store: RowStore,
): Promise<NumericTensor | StoredRows>;
export async function readIdx(
  source: ByteSource,
  store?: RowStore,
): Promise<NumericTensor | StoredRows> {
  const bytes = store === undefined ? await bytesOf(source) : await collected(source, store);
  if (!(bytes instanceof Uint8Array)) {
    const head = new Uint8Array(Math.min(HEADER, bytes.byteLength));
    bytes.read(0, head);
    const layout = idxLayout(head);
    return rowsOfArray(bytes, layout, { end: bytes.byteLength, store: store!, what: WHAT });
  }
  const layout = idxLayout(bytes);
  const { type, shape, start } = layout;
  const elements = bytes.subarray(start);
  requireElements(layout, elements.byteLength, WHAT);
  const size = elementSize(type);
  return { type, shape, bytes: size === 1 ? elements : swapped(elements, size) };
}

const WHAT = 'The IDX file';
/** Bytes of the longest header: 255 axes. */
const HEADER = 4 + 4 * 255;

function idxLayout(bytes: Uint8Array): ArrayLayout {
  const type = TYPES[bytes[2] ?? 0];
  const rank = bytes[3] ?? 0;
  const start = 4 + 4 * rank;
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined || bytes.byteLength < start) {
    throw dataError('The file is not in the IDX format, or is cut off in its header.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { type, shape, start, bigEndian: true, columnMajor: false };
}
