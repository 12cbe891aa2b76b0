/**
 * The directory of a ZIP archive, with the ZIP64 fields: PKWARE, "APPNOTE.TXT" 6.3.
 */
import { dataError } from '../../train-error.ts';

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const ENTRY = 0x02014b50;
const FULL = 0xffffffff;

export interface Archive {
  readonly byteLength: number;
  readonly slice: (from: number, to: number) => Uint8Array;
}

export interface ZipEntry {
  readonly name: string;
  /** 0: stored, 8: deflated. */
  readonly method: number;
  /** Offset and length of its bytes. */
  readonly at: number;
  readonly size: number;
  /** Bytes of the file. */
  readonly unpacked: number;
  /** Their CRC-32. */
  readonly sum: number;
}

/** The files of an archive. @throws TrainError `data` when the archive is damaged. */
export function zipEntries(archive: Archive): readonly ZipEntry[] {
  try {
    return directory(archive);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw dataError('The ZIP archive is damaged.', { cause: error });
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);

/**
 * Largest size in bytes of the records that locate an archive's directory: record, comment,
 * locator.
 */
const TAIL = 22 + 0xffff + 20;

function directory({ byteLength, slice }: Archive): readonly ZipEntry[] {
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
  const entries: ZipEntry[] = [];
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
    entries.push({ name, method, at: begin, size, unpacked, sum });
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
