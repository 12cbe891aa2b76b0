/**
 * NumPy's `.npz`: a ZIP archive of `.npy` files, stored or deflated.
 *
 * Reads the archive through its central directory, with the ZIP64 fields: PKWARE, "APPNOTE.TXT" 6.3.
 */
import type { NumericTensor } from '@skein/onnx';
import { dataError } from '../../train-error.ts';
import { bytesOf, unpacked } from '../bytes.ts';
import { crc32 } from './crc32.ts';
import { parseNpy, storedNpy } from './npy.ts';
import type { RowStore, StoredBytes, StoredRows } from '../rows/stored.ts';

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const ENTRY = 0x02014b50;
const FULL = 0xffffffff;

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

interface Archive {
  readonly byteLength: number;
  readonly slice: (from: number, to: number) => Uint8Array;
}

interface Entry {
  /** Without `.npy`. */
  readonly name: string;
  /** Whether it is deflated. */
  readonly packed: boolean;
  /** Offset and length of its bytes. */
  readonly at: number;
  readonly size: number;
  /** Bytes of the array. */
  readonly unpacked: number;
  /** Their CRC-32. */
  readonly sum: number;
}

function arraysIn(archive: Archive): readonly Entry[] {
  let entries: readonly Entry[];
  try {
    entries = directory(archive);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw dataError('The ZIP archive is damaged.', { cause: error });
  }
  if (entries.length === 0) throw dataError('The archive holds no arrays.');
  return entries;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);

/**
 * Largest size in bytes of the records that locate an archive's directory: record, comment,
 * locator.
 */
const TAIL = 22 + 0xffff + 20;

function directory({ byteLength, slice }: Archive): readonly Entry[] {
  const before = Math.max(0, byteLength - TAIL);
  const tail = viewOf(slice(before, byteLength));
  let end = tail.byteLength - 22;
  // A comment of up to 64 KiB may follow the record.
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw dataError('The file is not a ZIP archive, or is cut off.');
  let count = tail.getUint16(end + 10, true);
  let from = tail.getUint32(end + 16, true);
  if (end >= 20 && tail.getUint32(end - 20, true) === END_64_LOCATOR) {
    const record = number64(tail, end - 20 + 8);
    const wide = viewOf(slice(record, record + 56));
    count = number64(wide, 32);
    from = number64(wide, 48);
  }
  const view = viewOf(slice(from, before + end));
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY) throw new RangeError('no entry here');
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    const { size, unpacked, offset } = extent(view, at, at + 46 + nameLength, extraLength);
    const local = viewOf(slice(offset, offset + 30));
    const begin = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    if (begin + size > byteLength) throw new RangeError('cut off');
    const nameBytes = slice(from + at + 46, from + at + 46 + nameLength);
    const name = new TextDecoder().decode(nameBytes);
    const method = view.getUint16(at + 10, true);
    const sum = view.getUint32(at + 16, true);
    at += 46 + nameLength + extraLength + commentLength;
    if (!name.endsWith('.npy')) continue;
    const array = name.slice(0, -4);
    if (method !== 0 && method !== 8) {
      throw dataError(`Array '${array}' is packed with method ${method}, not deflate.`);
    }
    entries.push({ name: array, packed: method === 8, at: begin, size, unpacked, sum });
  }
  return entries;
}

/** Sizes and place of an entry; what does not fit 32 bits stands in the ZIP64 field, in this order. */
function extent(
  view: DataView,
  at: number,
  extra: number,
  length: number,
): { readonly size: number; readonly unpacked: number; readonly offset: number } {
  let size = view.getUint32(at + 20, true);
  let unpacked = view.getUint32(at + 24, true);
  let offset = view.getUint32(at + 42, true);
  for (let field = extra; field + 4 <= extra + length;) {
    if (view.getUint16(field, true) === 1) {
      let next = field + 4;
      const wide = () => number64(view, (next += 8) - 8);
      if (unpacked === FULL) unpacked = wide();
      if (size === FULL) size = wide();
      if (offset === FULL) offset = wide();
    }
    field += 4 + view.getUint16(field + 2, true);
  }
  return { size, unpacked, offset };
}

function number64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
