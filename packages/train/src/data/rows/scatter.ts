/**
 * Brings rows into a random order in files, in memory that does not grow with them. Each row goes into a bucket by
 * chance; then each bucket, which fits into memory, is shuffled and written behind the others. Every order of all rows
 * is equally likely, as in Rao's shuffle (Sankhyā, 1961), and follows from the seed.
 */
import { seededRandom, type NumericTensor } from '@skein/onnx';
import type { Dataset } from '../dataset.ts';
import { rowsPerBlock } from './block-order.ts';
import { shuffled } from './shuffled.ts';
import {
  bytesPerRow,
  isStored,
  type RowStore,
  type StoredBytes,
  type StoredRows,
} from './stored.ts';

/** Bytes of a bucket. */
const BUCKET_BYTES = 64 * 2 ** 20;
/** Files that are open at once. */
const MOST_BUCKETS = 512;
/** Memory of all buckets while rows are written into them. */
const WRITTEN_BYTES = 32 * 2 ** 20;
/** Bytes that are read at once. */
const READ_BYTES = 2 ** 20;

export interface ScatterOptions {
  readonly store: RowStore;
  readonly seed: number;
  /** 1 for a row that is held out, else 0; absent: none is. */
  readonly held?: Uint8Array | undefined;
  /** Called with the rows that are done, of all tensors together, and their number. */
  readonly onRows?: ((done: number, of: number) => void) | undefined;
}

export interface Scattered {
  /** In a random order. */
  readonly training: Dataset;
  /** The rows that are held out, in their own order. */
  readonly heldOut?: Dataset | undefined;
}

/** Bytes of a row, of all tensors together. */
export const rowBytesOf = ({
  tensors,
  stored = new Map(),
}: Pick<Dataset, 'tensors' | 'stored'>): number =>
  [...tensors.values(), ...stored.values()].reduce((sum, each) => sum + bytesPerRow(each), 0);

/** Stored tensors of the rows are released; tensors in memory are unchanged. */
export function scatterRows(
  { count, tensors, stored = new Map() }: Dataset,
  { store, seed, held, onRows }: ScatterOptions,
  bucketBytes = BUCKET_BYTES,
): Scattered {
  const all: (readonly [string, NumericTensor | StoredRows])[] = [...tensors, ...stored];
  const rowBytes = rowBytesOf({ tensors, stored });
  const heldCount = held?.reduce((sum, each) => sum + each, 0) ?? 0;
  const trainCount = count - heldCount;
  const buckets = Math.min(
    MOST_BUCKETS,
    Math.max(1, Math.ceil((trainCount * rowBytes) / bucketBytes)),
  );
  const training = new Map<string, StoredRows>();
  const heldOut = new Map<string, StoredRows>();
  // One tensor after the other: the same seed takes each row to the same place.
  all.forEach(([name, rows], at) => {
    const report = (done: number): void => onRows?.(at * count + done, all.length * count);
    const parts = intoBuckets(rows, { store, seed, held, buckets, report });
    const { type, shape } = rows;
    const whole = (bytes: StoredBytes, length: number): StoredRows => ({
      type,
      shape: [length, ...shape.slice(1)],
      bytes,
      start: 0,
    });
    if (isStored(rows) && !isReadLater(rows.bytes, all.slice(at + 1))) store.release(rows.bytes);
    training.set(
      name,
      whole(joined(parts.buckets, bytesPerRow(rows), { store, seed }), trainCount),
    );
    if (parts.held === undefined) return;
    heldOut.set(name, whole(parts.held, heldCount));
  });
  const blocks = { tensors: new Map(), blockRows: rowsPerBlock(rowBytes) };
  return {
    training: { ...blocks, count: trainCount, stored: training },
    ...(heldCount === 0 ? {} : { heldOut: { ...blocks, count: heldCount, stored: heldOut } }),
  };
}

/** Several tensors may lie in one file. */
const isReadLater = (
  bytes: StoredBytes,
  later: readonly (readonly [string, NumericTensor | StoredRows])[],
): boolean => later.some(([, rows]) => isStored(rows) && rows.bytes === bytes);

function intoBuckets(
  rows: NumericTensor | StoredRows,
  {
    store,
    seed,
    held,
    buckets,
    report,
  }: Omit<ScatterOptions, 'onRows'> & {
    readonly buckets: number;
    readonly report: (done: number) => void;
  },
): { readonly buckets: StoredBytes[]; readonly held: StoredBytes | undefined } {
  const random = seededRandom(seed);
  const writers = Array.from({ length: buckets }, () =>
    store.create(Math.min(READ_BYTES, Math.floor(WRITTEN_BYTES / buckets))),
  );
  const heldWriter = held === undefined ? undefined : store.create();
  const size = bytesPerRow(rows);
  const [count = 0] = rows.shape;
  const atOnce = Math.max(1, Math.floor(READ_BYTES / Math.max(1, size)));
  for (let from = 0; from < count; from += atOnce) {
    const many = Math.min(atOnce, count - from);
    const block = rowsAt(rows, from, many);
    for (let i = 0; i < many; i++) {
      const row = block.subarray(i * size, (i + 1) * size);
      if (held?.[from + i] === 1) heldWriter!.append(row);
      else writers[Math.floor(random.next() * buckets)]!.append(row);
    }
    report(from + many);
  }
  return { buckets: writers.map((writer) => writer.finish()), held: heldWriter?.finish() };
}

/** Some rows one after the other. */
function rowsAt(rows: NumericTensor | StoredRows, from: number, many: number): Uint8Array {
  const size = bytesPerRow(rows);
  if (!isStored(rows)) return rows.bytes.subarray(from * size, (from + many) * size);
  if (rows.rows !== undefined) throw new TypeError('All rows of a file are scattered.');
  const block = new Uint8Array(many * size);
  rows.bytes.read(rows.start + from * size, block);
  return block;
}

/** Shuffles each bucket, and writes all rows into one file. */
function joined(
  buckets: readonly StoredBytes[],
  size: number,
  { store, seed }: Pick<ScatterOptions, 'store' | 'seed'>,
): StoredBytes {
  const writer = store.create();
  buckets.forEach((bucket, at) => {
    const bytes = new Uint8Array(bucket.byteLength);
    bucket.read(0, bytes);
    store.release(bucket);
    const order = shuffled(bytes.byteLength / size, (seed ^ Math.imul(at + 1, 0x27d4eb2f)) >>> 0);
    for (const row of order) writer.append(bytes.subarray(row * size, (row + 1) * size));
  });
  return writer.finish();
}
