/**
 * Rows in a file instead of in memory, for data that are larger than memory. A row has a fixed
 * size, so that reading any row is one positioned read; the operating system's page cache is the
 * cache. A few numbers per row stay in memory: its label, its place in the order.
 *
 * Only interfaces and arithmetic are here; `file-rows.ts` has the files.
 */
import { elementCount, elementSize, values, type NumericTensor } from '@skein/onnx';
import type { NumericType } from '@skein/onnx';

export interface StoredBytes {
  readonly byteLength: number;
  /** The file, which another thread of this process can read too. */
  readonly descriptor: number;
  /** Fills the memory with the bytes at an offset. */
  read(at: number, into: Uint8Array): void;
}

export interface StoredRows {
  readonly type: NumericType;
  /** The first axis is the row. */
  readonly shape: readonly number[];
  readonly bytes: StoredBytes;
  /** Offset of row 0 in the file. */
  readonly start: number;
  /** Row i of these is row `rows[i]` of the file; absent: all rows, in file order. */
  readonly rows?: Uint32Array;
}

export interface RowStore {
  /** Bytes of rows that may be in memory; larger data go into files. */
  readonly limit: number;
  /** @param bufferBytes that are written at once; default 1 MiB. */
  create(bufferBytes?: number): RowWriter;
  /** Frees the space of rows that it created, which are not read again. */
  release(bytes: StoredBytes): void;
}

export interface RowWriter {
  append(bytes: Uint8Array): void;
  /** Nothing is appended after that. */
  finish(): StoredBytes;
}

export function isStored(rows: NumericTensor | StoredRows): rows is StoredRows {
  return 'start' in rows;
}

export function bytesPerRow({ type, shape }: Pick<StoredRows, 'type' | 'shape'>): number {
  return elementCount(shape.slice(1)) * elementSize(type);
}

export function readStoredRow(from: StoredRows, row: number, into: Uint8Array): void {
  from.bytes.read(from.start + (from.rows?.[row] ?? row) * bytesPerRow(from), into);
}

/** Some of the rows, in the given order; only row numbers are copied. */
export function selectStoredRows(of: StoredRows, rows: ArrayLike<number>): StoredRows {
  const own = of.rows;
  const selected = Uint32Array.from(rows, (row) => own?.[row] ?? row);
  return { ...of, shape: [selected.length, ...of.shape.slice(1)], rows: selected };
}

/** Reads row after row as numbers, into one array that is reused. */
export function storedNumbers(of: StoredRows): (row: number) => ArrayLike<number | bigint> {
  const bytes = new Uint8Array(bytesPerRow(of));
  const numbers = values({ type: of.type, shape: of.shape.slice(1), bytes });
  return (row) => {
    readStoredRow(of, row, bytes);
    return numbers;
  };
}
