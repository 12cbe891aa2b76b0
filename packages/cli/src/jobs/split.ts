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
  const cutter = openCutter(shardBytes, { header, quotes });
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    cutter.push(chunk as Buffer);
  }
  return cutter.finish();
}

/** Finds the places to cut at; apart from the stream, because variables of an async function are slow. */
function openCutter(
  shardBytes: number,
  { header, quotes }: { readonly header: boolean; readonly quotes: boolean },
) {
  /** Bytes of the chunks before. */
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

  const takeQuote = () => {
    const closes = inQuotes;
    inQuotes = !closes && (atValue || justClosed);
    justClosed = closes;
    atValue = false;
  };
  /** A byte of the header, or before it. */
  const takeByte = (byte: number, place: number) => {
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) isBlank = false;
    else if (!isBlank) hasLines = true;
    if (quotes && byte === QUOTE) return takeQuote();
    justClosed = false;
    if (inQuotes) return;
    if (BEFORE_VALUE[byte] === 1) atValue = true;
    else if (byte !== SPACE && byte !== BYTE_ORDER_MARK[place]) atValue = false;
    if (byte !== LINE_FEED || headerEnd !== undefined) return;
    // Empty lines before the header are none of the table.
    if (isBlank) headerStart = place + 1;
    else headerEnd = place + 1;
    start = place + 1;
  };
  /** Bytes without a quote, behind the header and outside of quotes. */
  const takePlain = (chunk: Buffer, from: number, to: number) => {
    if (from === to) return;
    justClosed = false;
    for (;;) {
      // No row before this reaches the size.
      const search = Math.max(from, start + shardBytes - 1 - at);
      const found = search < to ? chunk.indexOf(LINE_FEED, search) : -1;
      if (found < 0 || found >= to) break;
      slices.push({ start, end: at + found + 1 });
      start = at + found + 1;
    }
    let last = to - 1;
    while (last >= from && chunk[last] === SPACE) last--;
    if (last >= from) atValue = BEFORE_VALUE[chunk[last]!] === 1;
  };

  return {
    push(chunk: Buffer): void {
      let index = 0;
      while (index < chunk.length && headerEnd === undefined) {
        const byte = chunk[index]!;
        takeByte(byte, at + index);
        index++;
      }
      while (index < chunk.length) {
        const quote = quotes ? chunk.indexOf(QUOTE, index) : -1;
        const to = quote < 0 ? chunk.length : quote;
        if (!inQuotes) takePlain(chunk, index, to);
        else if (to > index) justClosed = false;
        if (quote >= 0) takeQuote();
        index = to + 1;
      }
      at += chunk.length;
    },
    finish(): Cut {
      if (headerEnd === undefined && hasLines) {
        // Lines end with a CR alone, or a quote is never closed: what to make of it is for DuckDB.
        return { header: { start: 0, end: 0 }, slices: [{ start: 0, end: at }] };
      }
      if (start < at && headerEnd !== undefined) slices.push({ start, end: at });
      return { header: { start: headerStart, end: headerEnd ?? at }, slices };
    },
  };
}
