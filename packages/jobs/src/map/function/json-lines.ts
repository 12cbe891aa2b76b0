/** Reads rows of JSON lines in batches of columns: one batch is in memory at a time, whatever the file's size is. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';

/** Values by column; all columns have the same length. */
export type Columns = Readonly<Record<string, readonly unknown[]>>;

/** Lines of a file, by bytes; end exclusive. */
export interface Lines {
  readonly from: number;
  readonly to: number;
}

export interface Batch {
  readonly columns: Columns;
  /** Rows of the piece before this batch. */
  readonly before: number;
  readonly rows: number;
}

/** Rows of a batch. With more, functions gain little speed, and each takes its memory at once. */
export const BATCH_ROWS = 1000;
/** Characters of the lines of a batch: a row may hold a document. */
export const BATCH_CHARACTERS = 4 * 2 ** 20;

/** Bytes that are read to find the end of a line. */
const LOOK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** Cuts a file between its lines into pieces of about `pieceBytes`. */
export async function cutLines(path: string, pieceBytes: number): Promise<Lines[]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(LOOK_BYTES);
    const lineEnd = async (from: number): Promise<number> => {
      for (let at = from; at < size; at += LOOK_BYTES) {
        const { bytesRead } = await file.read(buffer, 0, LOOK_BYTES, at);
        const found = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
        if (found >= 0) return at + found + 1;
      }
      return size;
    };
    const pieces: Lines[] = [];
    for (let from = 0; from < size; from = pieces.at(-1)!.to) {
      const to = from + pieceBytes >= size ? size : await lineEnd(from + pieceBytes - 1);
      pieces.push({ from, to });
    }
    return pieces;
  } finally {
    await file.close();
  }
}

/** Counts the lines that end before a place in a file. */
export async function linesBefore(path: string, end: number): Promise<number> {
  let count = 0;
  if (end === 0) return count;
  for await (const chunk of createReadStream(path, { end: end - 1 }) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count += 1;
  }
  return count;
}

export async function* batchesOf(path: string, { from, to }: Lines): AsyncGenerator<Batch> {
  if (to <= from) return;
  const input = createReadStream(path, { start: from, end: to - 1 });
  let rows: Record<string, unknown>[] = [];
  let characters = 0;
  let before = 0;
  const taken = (): Batch => {
    const batch = { columns: columnsOf(rows), before, rows: rows.length };
    before += rows.length;
    rows = [];
    characters = 0;
    return batch;
  };
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (line === '') continue;
    rows.push(readJson(line, JSON_BOUNDS.stored) as Record<string, unknown>);
    characters += line.length;
    if (rows.length === BATCH_ROWS || characters >= BATCH_CHARACTERS) yield taken();
  }
  if (rows.length > 0) yield taken();
}

function columnsOf(rows: readonly Readonly<Record<string, unknown>>[]): Columns {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return Object.fromEntries(
    [...names].map((name) => [name, rows.map((row) => row[name] ?? null)] as const),
  );
}
