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
  /** Of what was read before the header. */
  let isBlank = true;
  let headerStart = 0;
  let headerEnd: number | undefined = header ? undefined : 0;
  let start = 0;
  const slices: Slice[] = [];
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const chunk = piece as Buffer;
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index];
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) isBlank = false;
      // A doubled quote inside a value closes and opens it again, which comes to the same.
      if (quotes && byte === QUOTE) inQuotes = !inQuotes;
      else if (byte === LINE_FEED && !inQuotes) {
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
  if (start < at && headerEnd !== undefined) slices.push({ start, end: at });
  return { header: { start: headerStart, end: headerEnd ?? at }, slices };
}
