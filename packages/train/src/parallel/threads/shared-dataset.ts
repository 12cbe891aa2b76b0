/** Rows that all threads can read: in shared memory, or in files that their process has open. */
import { defined } from '@skein/api/defined';
import type { NumericTensor } from '@skein/onnx';
import type { Dataset } from '../../data/dataset.ts';
import { bytesIn } from '../../data/rows/file-rows.ts';
import type { StoredRows } from '../../data/rows/stored.ts';

/** A dataset as it can be sent to a thread. */
export interface SharedDataset extends Pick<Dataset, 'count' | 'blockRows'> {
  readonly tensors: ReadonlyMap<string, NumericTensor>;
  readonly files: ReadonlyMap<string, SharedFile>;
}

type SharedFile = Omit<StoredRows, 'bytes'> & {
  readonly descriptor: number;
  readonly byteLength: number;
};

/** The same rows; rows in memory are copied once unless the memory is shared already. */
export function sharedDataset({
  count,
  blockRows,
  tensors,
  stored = new Map(),
}: Dataset): SharedDataset {
  const shared = [...tensors].map(
    ([name, each]) => [name, { ...each, bytes: sharedBytes(each.bytes) }] as const,
  );
  const files = [...stored].map(([name, { bytes, rows, ...rest }]) => {
    const { descriptor, byteLength } = bytes;
    const selected = rows && { rows: new Uint32Array(sharedBytes(bytesOfRows(rows)).buffer) };
    return [name, { ...rest, ...selected, descriptor, byteLength }] as const;
  });
  return { count, ...defined({ blockRows }), tensors: new Map(shared), files: new Map(files) };
}

export function openedDataset({ count, blockRows, tensors, files }: SharedDataset): Dataset {
  const stored = [...files].map(([name, { descriptor, byteLength, ...rest }]) => {
    return [name, { ...rest, bytes: bytesIn(descriptor, byteLength) }] as const;
  });
  const all = { count, ...defined({ blockRows }), tensors };
  return stored.length === 0 ? all : { ...all, stored: new Map(stored) };
}

function sharedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  copy.set(bytes);
  return copy;
}

function bytesOfRows({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
