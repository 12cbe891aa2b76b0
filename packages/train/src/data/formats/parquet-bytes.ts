/**
 * Reads the header of a Parquet page, its levels and its packed lengths, within the bytes of the page.
 *
 * The checks of pages compare them before the library reads the page; the library exports no reader of them.
 *
 * Sources: https://parquet.apache.org/docs/file-format/data-pages/encodings/ and Thrift's compact protocol.
 */

/** A place in a page. Every read moves `offset`, and throws RangeError behind the end. */
export interface PageReader {
  readonly view: DataView;
  offset: number;
}

export interface ParquetPage {
  readonly type: number;
  /** Bytes of the page as stored, and unpacked. */
  readonly size: number;
  readonly unpackedSize: number;
  /** Fields of the header for the page's own kind, by number; kinds that are absent have none. */
  readonly first: Fields | undefined;
  readonly dictionary: Fields | undefined;
  readonly second: Fields | undefined;
}

/** The fields of a Thrift struct by their numbers: numbers, booleans and structs. Others are skipped. */
export type Fields = ReadonlyMap<number, number | boolean | Fields>;

/** Kinds of pages, and encodings of values, by their numbers in `parquet.thrift`. */
export const PAGE = { data: 0, dictionary: 2, dataV2: 3 } as const;
export const ENCODING = {
  plainDictionary: 2,
  rle: 3,
  deltaBinaryPacked: 5,
  deltaLengthByteArray: 6,
  deltaByteArray: 7,
  rleDictionary: 8,
} as const;

const MAX_DEPTH = 8;
/** Bytes of a varint of 64 bits. */
const LONGEST_VARINT = 10;

/** @throws RangeError where the header is longer than its bytes; Error where it is not one. */
export function readPage(reader: PageReader): ParquetPage {
  const fields = readStruct(reader, 0);
  return {
    type: numberIn(fields, 1),
    unpackedSize: numberIn(fields, 2),
    size: numberIn(fields, 3),
    first: structIn(fields, 5),
    dictionary: structIn(fields, 7),
    second: structIn(fields, 8),
  };
}

/** NaN where the field is absent or not a number. */
export function numberIn(fields: Fields | undefined, id: number): number {
  const value = fields?.get(id);
  return typeof value === 'number' ? value : NaN;
}

function structIn(fields: Fields, id: number): Fields | undefined {
  const value = fields.get(id);
  return value instanceof Map ? value : undefined;
}

function readStruct(reader: PageReader, depth: number): Fields {
  if (depth > MAX_DEPTH) throw new Error('A header is nested too deep.');
  const fields = new Map<number, number | boolean | Fields>();
  for (let id = 0; ;) {
    const head = reader.view.getUint8(reader.offset++);
    const type = head & 0x0f;
    if (type === 0) return fields;
    id = head >> 4 === 0 ? zigzag(readVarint(reader)) : id + (head >> 4);
    const value = readValue(reader, type, depth);
    if (value !== undefined) fields.set(id, value);
  }
}

/** @returns undefined for a value that no check reads. */
function readValue(
  reader: PageReader,
  type: number,
  depth: number,
): number | boolean | Fields | undefined {
  switch (type) {
    case 1:
    case 2:
      return type === 1;
    case 3:
      return reader.view.getInt8(reader.offset++);
    case 4:
    case 5:
    case 6:
      return zigzag(readVarint(reader));
    case 7:
      reader.offset += Float64Array.BYTES_PER_ELEMENT;
      return undefined;
    case 8:
      reader.offset += readVarint(reader);
      return undefined;
    case 12:
      return readStruct(reader, depth + 1);
    default:
      throw new Error(`A header has a field of the type ${type}.`);
  }
}

/** An unsigned LEB128 number. @throws RangeError at the end of the bytes. */
export function readVarint(reader: PageReader): number {
  let value = 0;
  for (let i = 0; i < LONGEST_VARINT; i++) {
    const byte = reader.view.getUint8(reader.offset++);
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  throw new RangeError('A number has more than ten bytes.');
}

const zigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/**
 * Levels that are 1, of the first `count` in a hybrid of runs and packed bits of one bit each.
 * @throws RangeError where the runs end early.
 */
export function countOnes(reader: PageReader, count: number): number {
  let ones = 0;
  for (let seen = 0; seen < count;) {
    const head = readVarint(reader);
    const isPacked = head % 2 === 1;
    const length = isPacked ? 8 * ((head - 1) / 2) : head / 2;
    const taken = Math.min(length, count - seen);
    if (length === 0) throw new RangeError('A run is empty.');
    if (isPacked) {
      for (let i = 0; i < taken; i++) {
        ones += (reader.view.getUint8(reader.offset + (i >> 3)) >> (i & 7)) & 1;
      }
      reader.offset += length / 8;
    } else {
      ones += reader.view.getUint8(reader.offset++) & 1 ? taken : 0;
    }
    seen += taken;
  }
  return ones;
}

/** The first `count` of delta-packed 32-bit integers; see DELTA_BINARY_PACKED. @throws RangeError where they end early. */
export function readDeltas(reader: PageReader, count: number): Int32Array {
  const blockValues = readVarint(reader);
  const parts = readVarint(reader);
  readVarint(reader);
  const partValues = blockValues / parts;
  const values = new Int32Array(count);
  let value = zigzag(readVarint(reader));
  let at = 0;
  if (count > 0) values[at++] = value;
  while (at < count) {
    const least = zigzag(readVarint(reader));
    const widths = reader.offset;
    reader.offset += parts;
    for (let part = 0; part < parts && at < count; part++) {
      const width = reader.view.getUint8(widths + part);
      for (let i = 0; i < partValues && at < count; i++) {
        value += least + bitsAt(reader, i * width, width);
        values[at++] = value;
      }
      reader.offset += Math.ceil((partValues * width) / 8);
    }
  }
  return values;
}

/** An unsigned number of `width` bits, `start` bits behind the reader's place, least significant bit first. */
function bitsAt({ view, offset }: PageReader, start: number, width: number): number {
  let value = 0;
  for (let bit = 0; bit < width; bit++) {
    const at = start + bit;
    if ((view.getUint8(offset + (at >> 3)) >> (at & 7)) & 1) value += 2 ** bit;
  }
  return value;
}
