/**
 * Cuts a CSV file between its records. A newline ends a record where the quotes before it are even in number, so
 * ranges of the file are scanned apart, each as if it began outside and as if it began inside quotes; the
 * ranges before it decide which of both is true (Ge et al., Speculative distributed CSV parsing, SIGMOD 2019, §4).
 *
 * That is exact where each quote opens or closes a value, or is doubled inside one. A file with any other
 * quote is not cut.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Bytes of a file, end exclusive. */
export interface Bytes {
  readonly from: number;
  readonly to: number;
}

/** How DuckDB reads a CSV file, as it has found it; an empty text is no such character. */
export interface CsvForm {
  readonly delim: string;
  readonly quote: string;
  readonly escape: string;
  readonly newLine: string;
}

/** Records of a file, and the bytes of the header in front of all of them. */
export interface CsvPiece extends Bytes {
  readonly header: number;
}

/** By how the range begins: outside or inside quotes. */
type ByBeginning<Value> = [outside: Value, inside: Value];

export interface RangeScan {
  /** Whether the number of quotes is odd. */
  readonly isOdd: boolean;
  /** Place after the first newline that ends a record; null where there is none. */
  readonly starts: Readonly<ByBeginning<number | null>>;
  /** Whether a quote neither opens nor closes a value. */
  readonly hasFault: Readonly<ByBeginning<boolean>>;
}

/** Ranges of about `pieceBytes` that have every byte once. */
export function evenRanges(sizeBytes: number, pieceBytes: number): Bytes[] {
  const count = Math.max(1, Math.floor(sizeBytes / pieceBytes));
  const edge = (at: number): number => Math.round((sizeBytes * at) / count);
  return Array.from({ length: count }, (_, at) => ({ from: edge(at), to: edge(at + 1) }));
}

/**
 * @param scans of ranges that together are the file, in order.
 * @returns pieces with all records after the header, each once; undefined where the file is not to be cut.
 */
export function cutRecords(
  scans: readonly RangeScan[],
  sizeBytes: number,
  hasHeader: boolean,
): CsvPiece[] | undefined {
  const starts: number[] = [];
  let isInside = false;
  for (const [index, scan] of scans.entries()) {
    const side = isInside ? 1 : 0;
    if (scan.hasFault[side]) return undefined;
    const start = index === 0 && !hasHeader ? 0 : scan.starts[side];
    if (start !== null) starts.push(start);
    isInside = isInside !== scan.isOdd;
  }
  if (isInside) return undefined;
  // The header is the first record, whichever range it ends in.
  const [header = 0] = hasHeader ? starts : [];
  return starts
    .map((from, index) => ({ header, from, to: starts[index + 1] ?? sizeBytes }))
    .filter(({ from, to }) => from < to);
}

const CHUNK_BYTES = 2 ** 20;
const [NEWLINE, RETURN] = [10, 13];
const BOM = Buffer.from('\uFEFF');

/** Scans a range of a file. One whose form has no quotes is read up to its first newline. */
export async function scanRange(
  path: string,
  { from, to }: Bytes,
  { delim, quote }: Pick<CsvForm, 'delim' | 'quote'>,
): Promise<RangeScan> {
  const starts: ByBeginning<number | null> = [null, null];
  const hasFault: ByBeginning<boolean> = [false, false];
  const [separator = 0] = Buffer.from(delim);
  const [mark = -1] = Buffer.from(quote);
  /** Which beginning leaves the present place outside quotes: 0 after an even number of them. */
  let outside: 0 | 1 = 0;
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const first = Buffer.alloc(BOM.length);
    await file.read(first, 0, first.length, 0);
    const begin = first.equals(BOM) ? BOM.length : 0;
    // A byte before and one after the chunk: those next to a quote decide whether it has its place.
    const buffer = Buffer.alloc(CHUNK_BYTES + 2);
    for (let at = from; at < to; at += CHUNK_BYTES) {
      const before = at === 0 ? 0 : 1;
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES + before + 1, at - before);
      const length = Math.min(CHUNK_BYTES, to - at) + before;
      const isSearching = starts[0] === null || starts[1] === null;
      if (!isSearching && (mark < 0 || !buffer.subarray(before, length).includes(mark))) {
        if (mark < 0) break;
        continue;
      }
      for (let index = before; index < length; index++) {
        const byte = buffer[index];
        if (byte === NEWLINE) starts[outside] ??= at - before + index + 1;
        if (byte !== mark) continue;
        const place = at - before + index;
        const previous = place <= begin ? NEWLINE : buffer[index - 1];
        const next = place + 1 >= size || index + 1 >= bytesRead ? NEWLINE : buffer[index + 1];
        const opens = previous === separator || previous === NEWLINE || previous === mark;
        const closes = next === separator || next === NEWLINE || next === RETURN || next === mark;
        const inside: 0 | 1 = outside === 0 ? 1 : 0;
        hasFault[outside] ||= !opens;
        hasFault[inside] ||= !closes;
        outside = inside;
      }
      // Without quotes both beginnings are one.
      if (mark < 0 && starts[0] !== null) break;
    }
  } finally {
    await file.close();
  }
  if (mark < 0) starts[1] = starts[0];
  return { isOdd: outside === 1, starts, hasFault };
}

/** Writes the records of a piece behind the header. */
export async function copyPiece(
  path: string,
  { header, from, to }: CsvPiece,
  target: string,
): Promise<void> {
  const highWaterMark = CHUNK_BYTES;
  async function* parts(): AsyncGenerator<Uint8Array> {
    if (header > 0) yield* createReadStream(path, { start: 0, end: header - 1 });
    yield* createReadStream(path, { start: from, end: to - 1, highWaterMark });
  }
  await pipeline(parts, createWriteStream(target, { highWaterMark }));
}
