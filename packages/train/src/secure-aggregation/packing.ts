/**
 * Entries of `bits` bits in bytes, without gaps: entry i takes the bits from i·bits on, lowest first.
 *
 * Entries are moved through 32-bit words; an entry may straddle two. A shift by 32 does
 * nothing in JavaScript, so the straddling part is shifted in two steps.
 */
import type { Bytes } from './crypto/suite.ts';

/** Entries of a chunk: a multiple of 32, so that a chunk is whole words whatever the bits. */
export const CHUNK = 2 ** 16;

export function packedBytes(entries: number, bits: number): number {
  return Math.ceil((entries * bits) / 8);
}

/** Length in bytes of each chunk of an update. */
export function chunkBytes(length: number, bits: number): number[] {
  return Array.from({ length: Math.ceil(length / CHUNK) }, (_, at) =>
    packedBytes(Math.min(CHUNK, length - at * CHUNK), bits),
  );
}

/** @param entries at most a chunk of them; the low `bits` bits are taken. */
export function pack(entries: Uint32Array, bits: number): Bytes {
  const words = new Uint32Array(Math.ceil((entries.length * bits) / 32) + 1);
  const mask = bitMask(bits);
  for (let i = 0, bit = 0; i < entries.length; i++, bit += bits) {
    const entry = entries[i]! & mask;
    const at = bit >>> 5;
    const shift = bit & 31;
    words[at]! |= entry << shift;
    words[at + 1]! |= (entry >>> 1) >>> (31 - shift);
  }
  return new Uint8Array(words.buffer, 0, packedBytes(entries.length, bits));
}

/** Words of packed entries, aligned, and one more: a server adds thousands of chunks. */
const aligned = new Uint32Array(CHUNK + 1);

/** Adds packed entries to a part of a sum of at most a chunk, modulo 2^32. */
export function addPacked(sum: Uint32Array, bytes: Uint8Array, bits: number): void {
  const words = aligned.subarray(0, Math.ceil(bytes.length / 4) + 1);
  // The last word may be of another chunk.
  words.fill(0, -2);
  new Uint8Array(words.buffer).set(bytes);
  const mask = bitMask(bits);
  for (let i = 0, bit = 0; i < sum.length; i++, bit += bits) {
    const at = bit >>> 5;
    const shift = bit & 31;
    sum[i]! += ((words[at]! >>> shift) | ((words[at + 1]! << 1) << (31 - shift))) & mask;
  }
}

/** Reduces entries modulo 2^bits, in place. */
export function reduce<T extends Uint32Array>(entries: T, bits: number): T {
  const mask = bitMask(bits);
  for (let i = 0; i < entries.length; i++) entries[i]! &= mask;
  return entries;
}

function bitMask(bits: number): number {
  return bits === 32 ? -1 : 2 ** bits - 1;
}

/** Chunk by chunk. */
export function packAll(entries: Uint32Array, bits: number): Bytes[] {
  return chunkBytes(entries.length, bits).map((_, at) =>
    pack(entries.subarray(at * CHUNK, (at + 1) * CHUNK), bits),
  );
}
