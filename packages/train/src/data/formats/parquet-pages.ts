/**
 * Checks the pages of a Parquet column before hyparquet reads them, and corrects one number that it reads wrongly.
 * hyparquet trusts every size in a page: a page without a size keeps it at the same byte for ever, and a run of
 * a billion values takes seconds and gigabytes, however few bytes the page has.
 *
 * Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/
 */
import type { AsyncBuffer, Compressors } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import {
  countOnes,
  ENCODING,
  numberIn,
  PAGE,
  type ParquetPage,
  readDeltas,
  readPage,
  readVarint,
} from './parquet-bytes.ts';

const DAMAGED = 'a page is damaged';
/** DuckDB makes each packed run as long as 256 values. */
const PADDING = 256;
/** One run can stand for any number of rows. More rows than these need bytes: 64 of them one byte. */
const ROWS_WITHOUT_BYTES = 2 ** 20;
const ROWS_PER_BYTE = 64;
/** Most bytes of one page after its prefixes are expanded. */
const MAX_UNPACKED_BYTES = 256 * 2 ** 20;

/** Node's decoder where it exists: the library's does not end on some damaged data. */
const zstd = globalThis.process?.getBuiltinModule?.('node:zlib').zstdDecompressSync;
const ofNode: Compressors =
  zstd === undefined
    ? {}
    : { ZSTD: (bytes, length) => zstd(bytes, { maxOutputLength: Math.max(1, length) }) };

/** One column of one row group; it is flat. */
interface ColumnChunk {
  /** Rows of the group. */
  readonly count: number;
  readonly optional: boolean;
  readonly compressed: boolean;
  /** Whether its numbers have 32 bits. */
  readonly narrow: boolean;
}

/** The bytes and the decompression of a column for the library. Both throw an Error where a page does not fit. */
export function checkedPages(
  file: AsyncBuffer,
  column: ColumnChunk,
): { file: AsyncBuffer; compressors: Compressors } {
  const { count, optional, compressed } = column;
  /** The headers of the pages that are still compressed, by the place of their values. */
  const headers = new Map<number, ParquetPage>();
  return {
    file: {
      byteLength: file.byteLength,
      async slice(start, end) {
        const bytes = await file.slice(start, end);
        if (count > ROWS_WITHOUT_BYTES + ROWS_PER_BYTE * bytes.byteLength) throw new Error(DAMAGED);
        let checked = 0;
        for (const { page, at } of pagesOf(bytes, count)) {
          const { second, size } = page;
          checked = at + size;
          const levels = second !== undefined && optional ? numberIn(second, 5) : 0;
          // Without that length the library reads at no place, for ever.
          const isFlat = second === undefined || numberIn(second, 6) === 0;
          if (!(levels >= 0 && levels <= size && isFlat)) throw new Error(DAMAGED);
          if (second !== undefined && optional) {
            const read = checkRuns(new DataView(bytes, at, levels), 0, 1, valueCount(page));
            // Else the library continues in the values.
            if (read < valueCount(page)) throw new Error(DAMAGED);
          }
          if (compressed && second?.get(7) !== false) headers.set(at + levels, page);
          else checkValues(new DataView(bytes, at + levels, size - levels), page, column);
        }
        // The library continues where a page gave fewer rows than it states.
        return bytes.slice(0, checked);
      },
    },
    compressors: Object.fromEntries(
      Object.entries({ ...compressors, ...ofNode }).map(([codec, decompress]) => [
        codec,
        (bytes: Uint8Array, length: number) => {
          const values = decompress(bytes, length);
          const page = headers.get(bytes.byteOffset);
          const { buffer, byteOffset, byteLength } = values;
          if (page !== undefined) {
            checkValues(new DataView(buffer, byteOffset, byteLength), page, column);
          }
          return values;
        },
      ]),
    ),
  };
}

function* pagesOf(bytes: ArrayBuffer, count: number) {
  const reader = { view: new DataView(bytes), offset: 0 };
  for (let rows = 0; rows < count && reader.offset < bytes.byteLength - 1;) {
    const page = readPage(reader);
    const at = reader.offset;
    rows += valueCount(page);
    reader.offset += page.size;
    const fits = page.size >= 0 && page.unpackedSize >= 0 && reader.offset <= bytes.byteLength;
    if (!(fits && rows <= count && isConsistent(page))) throw new Error(DAMAGED);
    yield { page, at };
  }
}

/** Whether it has the header of its kind and no other, with counts that its bytes can hold. */
function isConsistent({ type, first, second, dictionary, unpackedSize }: ParquetPage): boolean {
  const kinds = [
    [PAGE.data, first],
    [PAGE.dataV2, second],
    [PAGE.dictionary, dictionary],
  ].flatMap(([kind, header]) => (header === undefined ? [] : [kind]));
  const values = numberIn(first ?? second ?? dictionary, 1);
  const missing = second === undefined ? 0 : numberIn(second, 2);
  const terms = dictionary === undefined ? 0 : values;
  return (
    kinds.length === 1 &&
    kinds[0] === type &&
    Number.isInteger(values) &&
    missing >= 0 &&
    missing <= values &&
    terms <= 8 * unpackedSize
  );
}

/** Values of a page of data, missing ones included. */
function valueCount({ first, second }: ParquetPage): number {
  return first === undefined && second === undefined ? 0 : numberIn(first ?? second, 1);
}

/** @param view the page, without the levels that are not compressed. */
function checkValues(view: DataView, page: ParquetPage, { optional, narrow }: ColumnChunk): void {
  const { first, second } = page;
  const encoding = first === undefined ? numberIn(second, 4) : numberIn(first, 2);
  const count = valueCount(page);
  let at = 0;
  if (first !== undefined && optional) {
    checkRuns(view, 4, 1, count);
    at = 4 + view.getUint32(0, true);
  }
  if (encoding === ENCODING.rle) checkRuns(view, at + 4, 1, count);
  if (encoding === ENCODING.rleDictionary || encoding === ENCODING.plainDictionary) {
    const bitWidth = view.getUint8(at);
    // With one value only, no indexes follow.
    if (bitWidth > 0) checkRuns(view, at + 1, bitWidth, count);
  }
  if (encoding === ENCODING.deltaByteArray) {
    const missing =
      second === undefined ? (optional ? missingOf(view, count) : 0) : numberIn(second, 2);
    checkPrefixes(view, at, count - missing);
  }
  if (encoding === ENCODING.deltaBinaryPacked || encoding === ENCODING.deltaLengthByteArray) {
    checkBlocks(view, at);
  }
  if (encoding === ENCODING.deltaBinaryPacked && narrow) narrowFirst(view, at);
}

/** Checks the sizes of the blocks of packed differences at `at`: with sizes of 0 the library never ends. */
function checkBlocks(view: DataView, at: number): void {
  const reader = { view, offset: at };
  const [values, parts] = [readVarint(reader), readVarint(reader)];
  // The library reads both as signed numbers of 32 bits.
  const isPacked = values > 0 && values < 2 ** 31 && parts > 0 && parts <= view.byteLength;
  if (!isPacked) throw new Error(DAMAGED);
}

const VARINT_OF_32_BITS = 5;

/**
 * Writes the first of packed differences anew, in as many bytes, where it has more than 32 bits: of unsigned numbers of
 * 32 bits DuckDB writes it as one of 64, and the library drops the upper ones before it has undone the zigzag.
 */
function narrowFirst(view: DataView, at: number): void {
  const reader = { view, offset: at };
  // Values of a block, its parts, values of the page.
  for (let i = 0; i < 3; i++) readVarint(reader);
  const start = reader.offset;
  readVarint(reader);
  if (reader.offset - start !== VARINT_OF_32_BITS) return;
  let zigzag = 0;
  for (let i = 0; i < VARINT_OF_32_BITS; i++) {
    zigzag += (view.getUint8(start + i) & 0x7f) * 2 ** (7 * i);
  }
  if (zigzag < 2 ** 32) return;
  const first = (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2) | 0;
  const again = ((first << 1) ^ (first >> 31)) >>> 0;
  for (let i = 0; i < VARINT_OF_32_BITS; i++) {
    const more = i < VARINT_OF_32_BITS - 1 ? 0x80 : 0;
    view.setUint8(start + i, ((again >>> (7 * i)) & 0x7f) | more);
  }
}

/** Values that are missing, by the levels at the start of a page of the first version, whose runs are checked. */
const missingOf = (view: DataView, count: number): number =>
  count - countOnes({ view, offset: 4 }, count);

/**
 * Checks the hybrid of run lengths and packed bits that starts at `at`. A packed run takes bits for each
 * of its values, so that it ends with the page.
 * @returns the values of the runs: fewer than `count` where they end early.
 */
function checkRuns(view: DataView, at: number, bitWidth: number, count: number): number {
  const reader = { view, offset: at };
  let seen = 0;
  while (seen < count && reader.offset < view.byteLength) {
    const header = readVarint(reader);
    const packed = header % 2 === 1;
    const length = packed ? 8 * ((header - 1) / 2) : header / 2;
    const most = packed ? 8 * view.byteLength : count;
    // The library reads a byte of an empty packed run, and loses its place; it keeps 32 bits of a header.
    const isReadable = header < 2 ** 32 && length <= most + PADDING && !(packed && length === 0);
    if (!isReadable) throw new Error(DAMAGED);
    reader.offset += packed ? (length / 8) * bitWidth : (bitWidth + 7) >> 3;
    seen += length;
  }
  return seen;
}

/** Checks texts that each start with a part of the text before. @param count without the missing ones. */
function checkPrefixes(view: DataView, at: number, count: number): void {
  const reader = { view, offset: at };
  const [prefixes, suffixes] = [0, 0].map(() => {
    checkBlocks(view, reader.offset);
    return readDeltas(reader, count);
  }) as [Int32Array, Int32Array];
  let before = 0;
  let total = 0;
  prefixes.forEach((prefix, i) => {
    const suffix = suffixes[i] ?? 0;
    total += prefix + suffix;
    if (!(prefix >= 0 && suffix >= 0 && prefix <= before && total <= MAX_UNPACKED_BYTES)) {
      throw new Error(DAMAGED);
    }
    before = prefix + suffix;
  });
}
