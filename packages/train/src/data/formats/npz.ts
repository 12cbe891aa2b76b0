/** NumPy's `.npz`: a ZIP archive of `.npy` files, stored or deflated. */
import type { NumericTensor } from '@skein/onnx';
import { dataError } from '../../train-error.ts';
import { bytesOf, unpacked } from '../bytes.ts';
import { crc32 } from './crc32.ts';
import { parseNpy, storedNpy } from './npy.ts';
import type { RowStore, StoredBytes, StoredRows } from '../rows/stored.ts';
import { zipEntries, type Archive, type ZipEntry } from './zip.ts';

/** The arrays by name. @throws TrainError `data` when the archive or an array in it is damaged. */
export async function parseNpz(bytes: Uint8Array): Promise<ReadonlyMap<string, NumericTensor>> {
  const archive: Archive = {
    byteLength: bytes.byteLength,
    slice: (from, to) => bytes.subarray(from, to),
  };
  const arrays = new Map<string, NumericTensor>();
  for (const { name, packed, at, size, sum } of arraysIn(archive)) {
    const whole = bytes.subarray(at, at + size);
    const what = `Array '${name}'`;
    const array = packed ? await bytesOf(inflated(whole)) : whole;
    requireSum(crc32(array), sum, what);
    arrays.set(name, parseNpy(array, what));
  }
  return arrays;
}

/**
 * The arrays of an archive in a file. Compressed ones are unpacked into the store, stored ones are
 * read in place; arrays that fit into memory are read into it.
 */
export async function storedNpz(
  source: StoredBytes,
  store: RowStore,
): Promise<ReadonlyMap<string, NumericTensor | StoredRows>> {
  const slice = (from: number, to: number) => {
    const bytes = new Uint8Array(Math.max(0, Math.min(to, source.byteLength) - from));
    source.read(from, bytes);
    return bytes;
  };
  const arrays = new Map<string, NumericTensor | StoredRows>();
  let remaining = store.limit;
  for (const { name, packed, at, size, unpacked, sum } of arraysIn({ ...source, slice })) {
    const what = `Array '${name}'`;
    const end = at + size;
    if (unpacked <= remaining) {
      remaining -= unpacked;
      const whole = slice(at, end);
      const array = packed ? await bytesOf(inflated(whole)) : whole;
      requireSum(crc32(array), sum, what);
      arrays.set(name, parseNpy(array, what));
    } else if (packed) {
      const writer = store.create();
      let found = 0;
      for await (const chunk of inflated(chunks(slice, at, end))) {
        found = crc32(chunk, found);
        writer.append(chunk);
      }
      requireSum(found, sum, what);
      arrays.set(name, storedNpy(writer.finish(), { store, what }));
    } else {
      let found = 0;
      for (const chunk of chunks(slice, at, end)) found = crc32(chunk, found);
      requireSum(found, sum, what);
      arrays.set(name, storedNpy(source, { from: at, end, store, what }));
    }
  }
  return arrays;
}

/** @throws TrainError `data`. */
function requireSum(found: number, sum: number, what: string): void {
  if (found !== sum) throw dataError(`${what} is damaged: its bytes have another CRC-32.`);
}

async function* inflated(packed: Uint8Array | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const parts = packed instanceof Uint8Array ? [packed] : packed;
  yield* unpacked(
    (async function* () {
      yield* parts;
    })(),
    'deflate-raw',
  );
}

/** Bytes that are read at once. */
const CHUNK = 1 << 20;

function* chunks(slice: Archive['slice'], from: number, to: number): Generator<Uint8Array> {
  for (let at = from; at < to; at += CHUNK) yield slice(at, Math.min(at + CHUNK, to));
}

interface Entry extends Omit<ZipEntry, 'method'> {
  /** Whether it is deflated. */
  readonly packed: boolean;
}

function arraysIn(archive: Archive): readonly Entry[] {
  const arrays = zipEntries(archive).filter(({ name }) => name.endsWith('.npy'));
  if (arrays.length === 0) throw dataError('The archive holds no arrays.');
  return arrays.map(({ name: file, method, ...entry }) => {
    const name = file.slice(0, -4);
    if (method !== 0 && method !== 8) {
      throw dataError(`Array '${name}' is packed with method ${method}, not deflate.`);
    }
    return { ...entry, name, packed: method === 8 };
  });
}
