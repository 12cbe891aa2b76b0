/** Rows in memory that all threads can read. */
import type { Dataset } from '../../data/dataset.ts';

/** The same rows, copied once unless they lie in shared memory already. */
export function sharedDataset({ count, tensors }: Dataset): Dataset {
  const shared = [...tensors].map(([name, { type, shape, bytes }]) => {
    if (bytes.buffer instanceof SharedArrayBuffer) return [name, { type, shape, bytes }] as const;
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
    copy.set(bytes);
    return [name, { type, shape, bytes: copy }] as const;
  });
  return { count, tensors: new Map(shared) };
}
