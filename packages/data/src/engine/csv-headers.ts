/**
 * Whether CSV files have one header, so that their columns meet by their places. Where DuckDB brings columns
 * together by their names, it takes a table for 42 rows a file: a join then holds the large table in memory, and
 * not the small one.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { CsvDialect } from '../data-set.ts';

/** Bytes in which a header ends. */
const LONGEST = 65_536;

/** @returns false also where the first line may not be the whole header. */
export function haveOneHeader(files: readonly string[], csv: CsvDialect = {}): boolean {
  const { header = true, skip = 0, comment, quote = '"' } = csv;
  if (!header || skip > 0 || comment !== undefined || quote !== '"') return false;
  const [first, ...others] = files;
  if (first === undefined) return false;
  const wanted = firstLine(first);
  return wanted !== undefined && others.every((file) => firstLine(file) === wanted);
}

/** @returns undefined for a packed file, and where a value of the header has several lines. */
function firstLine(file: string): string | undefined {
  if (/\.(gz|zst)$/.test(file)) return undefined;
  const bytes = Buffer.alloc(LONGEST);
  const descriptor = openSync(file, 'r');
  try {
    const text = bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, LONGEST, 0));
    const line = /^[^\r\n]+(?=[\r\n])/.exec(text)?.[0];
    const quotes = line?.split('"').length ?? 0;
    return quotes % 2 === 1 ? line : undefined;
  } finally {
    closeSync(descriptor);
  }
}
