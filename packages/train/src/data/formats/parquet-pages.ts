/**
 * Checks of the pages of a Parquet column that hyparquet does not make, and a mend of what it reads wrongly. It believes every size in a
 * page: one without a size keeps it at the same byte for ever, and a run of a billion values takes it
 * seconds and gigabytes, whatever the page has room for.
 *
 * Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/
 */
import type { AsyncBuffer, Compressors, PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readVarInt } from 'hyparquet/src/thrift.js';
import { compressors } from 'hyparquet-compressors';

const DAMAGED = 'a page is damaged';
/** DuckDB makes each packed run as long as 256 values. */
const PADDING = 256;
/** One run can stand for any number of rows. More rows than these need bytes: 64 of them one byte. */
const ROWS_WITHOUT_BYTES = 2 ** 20;
const ROWS_PER_BYTE = 64;
/** What the prefixes of texts may make of one page, in bytes. */
const MAX_UNPACKED_BYTES = 256 * 2 ** 20;

/** That of the library for pages does not end on some damaged data. */
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
  /** Of numbers of 32 bits. */
  readonly narrow: boolean;
}

/**
 * What the library reads a column with: its bytes and its decompression, which throw an Error where
 * a page does not fit.
 */
export function checkedPages(
  file: AsyncBuffer,
  column: ColumnChunk,
): { file: AsyncBuffer; compressors: Compressors } {
  const { count, optional, compressed } = column;
  /** The headers of the pages that are still compressed, by the place of their values. */
  const headers = new Map<number, PageHeader>();
  return {
    file: {
      byteLength: file.byteLength,
      async slice(start, end) {
        const bytes = await file.slice(start, end);
        if (count > ROWS_WITHOUT_BYTES + ROWS_PER_BYTE * bytes.byteLength) throw new Error(DAMAGED);
        let checked = 0;
        for (const { header, at, size } of pagesOf(bytes, count)) {
          checked = at + size;
          const second = header.data_page_header_v2;
          const levels =
            second !== undefined && optional ? second.definition_levels_byte_length : 0;
          // Without that length the library reads at no place, for ever.
          const isFlat = second === undefined || second.repetition_levels_byte_length === 0;
          if (!(levels >= 0 && levels <= size && isFlat)) throw new Error(DAMAGED);
          if (second !== undefined && optional) {
            const read = checkRuns(new DataView(bytes, at, levels), 0, 1, valueCount(header));
            // Else the library reads on in the values.
            if (read < valueCount(header)) throw new Error(DAMAGED);
          }
          if (compressed && second?.is_compressed !== false) headers.set(at + levels, header);
          else checkValues(new DataView(bytes, at + levels, size - levels), header, column);
        }
        // The library reads on where a page gave fewer rows than it states.
        return bytes.slice(0, checked);
      },
    },
    compressors: Object.fromEntries(
      Object.entries({ ...compressors, ...ofNode }).map(([codec, decompress]) => [
        codec,
        (bytes: Uint8Array, length: number) => {
          const values = decompress(bytes, length);
          const header = headers.get(bytes.byteOffset);
          const { buffer, byteOffset, byteLength } = values;
          if (header !== undefined) {
            checkValues(new DataView(buffer, byteOffset, byteLength), header, column);
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
    const header = parquetHeader(reader);
    const { compressed_page_size: size, uncompressed_page_size: unpacked } = header;
    const at = reader.offset;
    rows += valueCount(header);
    reader.offset += size;
    const fits = size >= 0 && unpacked >= 0 && reader.offset <= bytes.byteLength;
    if (!(fits && rows <= count && isConsistent(header))) throw new Error(DAMAGED);
    yield { header, at, size };
  }
}

/** Has the header of its type and no other, with counts that the page has room for. */
function isConsistent(header: PageHeader): boolean {
  const { data_page_header, data_page_header_v2, dictionary_page_header } = header;
  const present = [
    ['DATA_PAGE', data_page_header],
    ['DATA_PAGE_V2', data_page_header_v2],
    ['DICTIONARY_PAGE', dictionary_page_header],
  ].flatMap(([type, part]) => (part === undefined ? [] : [type]));
  const page = data_page_header ?? data_page_header_v2 ?? dictionary_page_header;
  const values = page?.num_values ?? NaN;
  const missing = data_page_header_v2 === undefined ? 0 : data_page_header_v2.num_nulls;
  const terms = dictionary_page_header === undefined ? 0 : values;
  return (
    present.length === 1 &&
    present[0] === header.type &&
    Number.isInteger(values) &&
    missing >= 0 &&
    missing <= values &&
    terms <= 8 * header.uncompressed_page_size
  );
}

/** Of a page of data, with the missing ones. */
function valueCount({ data_page_header, data_page_header_v2 }: PageHeader): number {
  return (data_page_header ?? data_page_header_v2)?.num_values ?? 0;
}

/** @param view the page, without the levels that are not compressed. */
function checkValues(view: DataView, header: PageHeader, { optional, narrow }: ColumnChunk): void {
  const first = header.data_page_header;
  const encoding = (first ?? header.data_page_header_v2)?.encoding;
  const count = valueCount(header);
  let at = 0;
  if (first !== undefined && optional) {
    checkRuns(view, 4, 1, count);
    at = 4 + view.getUint32(0, true);
  }
  if (encoding === 'RLE') checkRuns(view, at + 4, 1, count);
  if (encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY') {
    const bitWidth = view.getUint8(at);
    // With one value only, no indexes follow.
    if (bitWidth > 0) checkRuns(view, at + 1, bitWidth, count);
  }
  if (encoding === 'DELTA_BYTE_ARRAY') {
    const missing =
      header.data_page_header_v2?.num_nulls ?? (optional ? missingOf(view, count) : 0);
    checkPrefixes(view, at, count - missing);
  }
  if (encoding === 'DELTA_BINARY_PACKED' || encoding === 'DELTA_LENGTH_BYTE_ARRAY') {
    checkBlocks(view, at);
  }
  if (encoding === 'DELTA_BINARY_PACKED' && narrow) narrowFirst(view, at);
}

/** Checks the sizes of the blocks of packed differences at `at`: by those that are not above 0 the library never ends. */
function checkBlocks(view: DataView, at: number): void {
  const reader = { view, offset: at };
  const [values, parts] = [readVarInt(reader), readVarInt(reader)];
  if (!(values > 0 && parts > 0)) throw new Error(DAMAGED);
}

const VARINT_OF_32_BITS = 5;

/**
 * Writes the first of packed differences anew, in as many bytes, where it has more than 32 bits: of unsigned numbers of
 * 32 bits DuckDB writes it as one of 64, and the library drops the upper ones before it has undone the zigzag.
 */
function narrowFirst(view: DataView, at: number): void {
  const reader = { view, offset: at };
  // Values of a block, its parts, values of the page.
  for (let i = 0; i < 3; i++) readVarInt(reader);
  const start = reader.offset;
  readVarInt(reader);
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

/** Values that are missing, by the levels with which a page of the first version begins; their runs are checked. */
function missingOf(view: DataView, count: number): number {
  const levels = new Uint8Array(count);
  readRleBitPackedHybrid({ view, offset: 0 }, 1, levels);
  return levels.reduce((missing, level) => missing + (level === 1 ? 0 : 1), 0);
}

/**
 * Checks the hybrid of run lengths and packed bits that starts at `at`. A packed run takes bits for each
 * of its values, so that it ends with the page.
 * @returns the values of the runs: fewer than `count` where they end early.
 */
function checkRuns(view: DataView, at: number, bitWidth: number, count: number): number {
  const reader = { view, offset: at };
  let seen = 0;
  while (seen < count && reader.offset < view.byteLength) {
    const header = readVarInt(reader);
    const packed = header & 1;
    const length = packed ? (header >>> 1) * 8 : header >>> 1;
    const room = packed ? 8 * view.byteLength : count;
    // Of an empty packed run the library reads a byte, and loses its place.
    if (length > room + PADDING || (packed && length === 0)) throw new Error(DAMAGED);
    reader.offset += packed ? (header >>> 1) * bitWidth : (bitWidth + 7) >> 3;
    seen += length;
  }
  return seen;
}

/** Checks texts of which each starts with a part of the one before. @param count without the missing ones. */
function checkPrefixes(view: DataView, at: number, count: number): void {
  const reader = { view, offset: at };
  const [prefixes, suffixes] = [new Int32Array(count), new Int32Array(count)];
  for (const lengths of [prefixes, suffixes]) {
    checkBlocks(view, reader.offset);
    deltaBinaryUnpack(reader, count, lengths);
  }
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
