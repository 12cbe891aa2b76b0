/** A sum that is made part by part as it is read, so that none of it is in memory as a whole. */
import { CHUNK } from './packing.ts';

/** Entries of a part, 1 MiB: each takes a cipher for each mask, whose memory is only freed by a collection of all garbage. */
export const PART = 4 * CHUNK;

export interface PartwiseSum {
  /** Entries. */
  readonly length: number;
  /** Entries `from` to `to`, until the next call. One call at a time. */
  read(from: number, to: number): Promise<Uint32Array>;
}

/**
 * The part that was read last stays in memory.
 * @param make fills zeros with the entries of a part that begins at `from`.
 */
export function madeInParts(
  length: number,
  make: (into: Uint32Array, from: number) => Promise<void>,
): PartwiseSum {
  /** The last part is short; its memory is not. Used again: V8 collects it late. */
  let memory = new Uint32Array(0);
  let made: number | undefined;
  async function partAt(number: number): Promise<Uint32Array> {
    if (made === number) return memory;
    made = undefined;
    if (memory.length === 0) memory = new Uint32Array(Math.min(length, PART));
    const from = number * PART;
    await make(memory.subarray(0, length - from).fill(0), from);
    made = number;
    return memory;
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
        const [start, end] = [Math.max(from, begin), Math.min(to, begin + PART)];
        entries.set(part.subarray(start - begin, end - begin), start - from);
      }
      return entries;
    },
  };
}
