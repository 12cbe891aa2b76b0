/** Sets of bytes as sorted ranges that neither meet nor overlap. */
import type { ByteRange } from '@skein/state/sources';

/** A request takes as long as so many bytes. */
const GAP_BYTES = 64 * 1024;

/** @param gapBytes ranges that are so near become one. */
export function joined(ranges: readonly ByteRange[], gapBytes = 0): ByteRange[] {
  const all: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1);
    if (last !== undefined && start <= last.end + gapBytes) last.end = Math.max(last.end, end);
    else if (end > start) all.push({ start, end });
  }
  return all;
}

/** Ranges to ask for, so that all wanted bytes are present. */
export function missing(wanted: readonly ByteRange[], present: readonly ByteRange[]): ByteRange[] {
  const left: ByteRange[] = [];
  for (const range of joined(wanted)) {
    let { start } = range;
    for (const known of present) {
      if (known.end <= start || known.start >= range.end) continue;
      if (known.start > start) left.push({ start, end: known.start });
      start = known.end;
    }
    if (start < range.end) left.push({ start, end: range.end });
  }
  return joined(left, GAP_BYTES);
}

export const bytesOf = (ranges: readonly ByteRange[]): number =>
  ranges.reduce((sum, { start, end }) => sum + end - start, 0);
