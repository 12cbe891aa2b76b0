/**
 * Arrays in files as rows: read in place when their elements are row-major and little-endian; else
 * rewritten.
 */
import { elementCount, elementSize, type NumericTensor, type NumericType } from '@skein/onnx';
import { dataError } from '../../train-error.ts';
import {
  bytesPerRow,
  readStoredRow,
  type RowStore,
  type StoredBytes,
  type StoredRows,
} from './stored.ts';

/** The header of an array's file. */
export interface ArrayLayout {
  readonly type: NumericType;
  readonly shape: readonly number[];
  /** Offset of the elements. */
  readonly start: number;
  readonly bigEndian: boolean;
  /** Fortran's order: the first index runs fastest. */
  readonly columnMajor: boolean;
}

/** Bytes that are rearranged at once. */
const BLOCK = 1 << 22;

/** @throws TrainError `data` when the number of elements does not match the shape. */
export function rowsOfArray(
  source: StoredBytes,
  layout: ArrayLayout,
  { end, store, what }: { readonly end: number; readonly store: RowStore; readonly what: string },
): StoredRows {
  const { type, shape, start, bigEndian, columnMajor } = layout;
  requireElements(layout, end - start, what);
  const [count = 0] = shape;
  const size = elementSize(type);
  const transposed = columnMajor && shape.length > 1;
  const rows: StoredRows = { type, shape, bytes: source, start };
  if (!transposed && !(bigEndian && size > 1)) return rows;
  const width = bytesPerRow(rows) / size;
  const axes = shape.slice(1);
  const writer = store.create();
  const atOnce = Math.max(1, Math.floor(BLOCK / (width * size)));
  for (let from = 0; from < count; from += atOnce) {
    const many = Math.min(atOnce, count - from);
    const block = new Uint8Array(many * width * size);
    if (transposed) {
      const column = new Uint8Array(many * size);
      for (let each = 0; each < width; each++) {
        source.read(start + (each * count + from) * size, column);
        const to = rowMajorIndex(each, axes);
        for (let row = 0; row < many; row++) {
          block.set(column.subarray(row * size, (row + 1) * size), (row * width + to) * size);
        }
      }
    } else source.read(start + from * width * size, block);
    writer.append(bigEndian && size > 1 ? swapped(block, size) : block);
  }
  return { type, shape, bytes: writer.finish(), start: 0 };
}

/** Reads all rows, for small arrays such as labels. */
export function inMemory(rows: StoredRows): NumericTensor {
  const { type, shape } = rows;
  const size = bytesPerRow(rows);
  const bytes = new Uint8Array(elementCount(shape) * elementSize(type));
  if (rows.rows === undefined) rows.bytes.read(rows.start, bytes);
  else {
    for (let row = 0; row < rows.rows.length; row++) {
      readStoredRow(rows, row, bytes.subarray(row * size, (row + 1) * size));
    }
  }
  return { type, shape, bytes };
}

/** @throws TrainError `data`. */
export function requireElements({ type, shape }: ArrayLayout, bytes: number, what: string): void {
  const expected = elementCount(shape) * elementSize(type);
  if (bytes === expected) return;
  throw dataError(
    `${what} has the shape [${shape.join(', ')}] and type ${type}, which take ${expected} bytes, but holds ${bytes}.`,
  );
}

export function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(bytes);
  for (let at = 0; at < result.byteLength; at += size) result.subarray(at, at + size).reverse();
  return result;
}

/** Place in row-major order of the element that is at a place in column-major order. */
function rowMajorIndex(place: number, axes: readonly number[]): number {
  let rest = place;
  let index = 0;
  axes.forEach((size, axis) => {
    index += (rest % size) * elementCount(axes.slice(axis + 1));
    rest = Math.floor(rest / size);
  });
  return index;
}
