/**
 * Cuts a large table into shards between its rows. The file is read once, as a stream; a shard is a
 * slice of it that is read again when it is uploaded, so that memory does not grow with the file.
 */
import { createReadStream } from 'node:fs';

export interface Slice {
  /** Bytes of the file, from start to before end. */
  readonly start: number;
  readonly end: number;
}

export interface Cut {
  /** The header of a CSV file, with its line end; empty for other formats. */
  readonly header: Slice;
  readonly slices: readonly Slice[];
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
/** Behind these and spaces begins a value: line ends, and DuckDB's separators: comma, semicolon, bar, tab. */
const BEFORE_VALUE = Uint8Array.from({ length: 256 }, (_, byte) =>
  [0x0a, 0x0d, 0x2c, 0x3b, 0x7c, 0x09].includes(byte) ? 1 : 0,
);
/** A file may begin with this mark of UTF-8. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * @param shardBytes a slice is at least this long, and ends with the row that reaches it.
 * @param options.header whether the first row names the columns.
 * @param options.quotes whether line ends between double quotes are part of a value, as in CSV.
 */
export async function cutIntoShards(
  file: string,
  shardBytes: number,
  { header, quotes }: { readonly header: boolean; readonly quotes: boolean },
): Promise<Cut> {
  let at = 0;
  let inQuotes = false;
  /** Whether a quote opens a value here; elsewhere in a value without quotes it is a character, as in `6" pipe`. */
  let atValue = true;
  /** Whether the byte before closed a value: a quote right behind it is a doubled one, and opens it again. */
  let justClosed = false;
  /** Whether the bytes before the header are blank. */
  let isBlank = true;
  /** Whether a line ends behind the first value, in whatever way. */
  let hasLines = false;
  let headerStart = 0;
  let headerEnd: number | undefined = header ? undefined : 0;
  let start = 0;
  const slices: Slice[] = [];
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const chunk = piece as Buffer;
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) isBlank = false;
      else if (!isBlank) hasLines = true;
      if (quotes && byte === QUOTE) {
        const closes: boolean = inQuotes;
        inQuotes = !closes && (atValue || justClosed);
        justClosed = closes;
        atValue = false;
        continue;
      }
      justClosed = false;
      if (inQuotes) continue;
      if (BEFORE_VALUE[byte] === 1) atValue = true;
      else if (byte !== SPACE && byte !== BYTE_ORDER_MARK[at + index]) atValue = false;
      if (byte === LINE_FEED) {
        const end = at + index + 1;
        if (headerEnd === undefined) {
          // Empty lines before the header are none of the table.
          if (isBlank) headerStart = end;
          else headerEnd = end;
          start = end;
        } else if (end - start >= shardBytes) {
          slices.push({ start, end });
          start = end;
        }
      }
    }
    at += chunk.length;
  }
  if (headerEnd === undefined && hasLines) {
    // Lines end with a CR alone, or a quote is never closed: what to make of it is for DuckDB.
    return { header: { start: 0, end: 0 }, slices: [{ start: 0, end: at }] };
  }
  if (start < at && headerEnd !== undefined) slices.push({ start, end: at });
  return { header: { start: headerStart, end: headerEnd ?? at }, slices };
}
