/** A sum that is made part by part as it is read, so that none of it is in memory as a whole. */
import { CHUNK } from './packing.ts';

/** Entries of a part, 1 MiB: each takes a cipher for each mask, whose memory is only freed by a collection of all garbage. */
export const PART = 4 * CHUNK;

export interface PartwiseSum {
  /** Entries. */
  readonly length: number;
  /** Entries `from` to `to`. One call at a time. */
  read(from: number, to: number): Promise<Uint32Array>;
}

/**
 * @param kept parts that stay in memory: those read last.
 * @param make entries `from` to `to`, a part.
 */
export function madeInParts(
  length: number,
  kept: number,
  make: (from: number, to: number) => Promise<Uint32Array>,
): PartwiseSum {
  /** By number, the one read last at the end. */
  const parts = new Map<number, Uint32Array>();
  async function partAt(number: number): Promise<Uint32Array> {
    const known = parts.get(number);
    parts.delete(number);
    // Before another is made.
    for (const oldest of parts.keys()) if (parts.size >= kept) parts.delete(oldest);
    const part = known ?? (await make(number * PART, Math.min(length, (number + 1) * PART)));
    parts.set(number, part);
    return part;
  }
  return {
    length,
    async read(from, to) {
      const [first, last] = [Math.floor(from / PART), Math.floor((to - 1) / PART)];
      if (first === last) return (await partAt(first)).subarray(from % PART, to - first * PART);
      const entries = new Uint32Array(to - from);
      for (let number = first; number <= last; number++) {
        const begin = number * PART;
        const part = await partAt(number);
        const [start, end] = [Math.max(from, begin), Math.min(to, begin + part.length)];
        entries.set(part.subarray(start - begin, end - begin), start - from);
      }
      return entries;
    },
  };
}
