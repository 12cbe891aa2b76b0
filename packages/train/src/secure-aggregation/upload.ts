/**
 * Masked updates that the receiver stores: their senders sign the digests of their chunks once, in the
 * head. A stored update is checked as a whole, and read again for the sum, chunk by chunk: one that never
 * becomes whole is in no sum, and in memory are a part of the sum and one chunk.
 */
import { SkeinError } from '@skein/api/errors';
import type { AggregationContext } from './context.ts';
import type { Bytes } from './crypto/suite.ts';
import { addPacked, CHUNK, chunkBytes } from './packing.ts';
import { type Reader, sameBytes, Writer } from './wire/bytes.ts';
import { suite } from './crypto/platform-suite.ts';

type Later<T> = T | Promise<T>;

/** Reads a chunk of a stored update. Its result is not used after the next call. */
export type ReadChunk = (chunk: number, bytes: number) => Later<Uint8Array>;

/** The same of the update of a site that was accepted. */
export type ReadUpdate = (site: number, chunk: number, bytes: number) => Later<Uint8Array>;

/** A masked update: the head is accepted before the chunks. */
export interface MaskedUpdate {
  readonly head: Bytes;
  readonly chunks: readonly Bytes[];
}

/** Entries of an update, or what computes them. */
export type LaterInput = Uint32Array | (() => Promise<Uint32Array>);

/** @returns a copy. @throws SkeinError AGGREGATION_INVALID. */
export async function maskable(
  input: LaterInput,
  context: AggregationContext,
): Promise<Uint32Array> {
  const entries = typeof input === 'function' ? await input() : input;
  checkInput(entries, context);
  return Uint32Array.from(entries);
}

/** @throws SkeinError AGGREGATION_INVALID where an input has another length, or an entry does not fit. */
function checkInput(input: Uint32Array, { length, bits }: AggregationContext): void {
  let used = 0;
  for (let at = 0; at < input.length; at++) used |= input[at]!;
  if (input.length === length && (bits === 32 || used >>> bits === 0)) return;
  throw new SkeinError(
    'AGGREGATION_INVALID',
    `The update is not ${length} entries of ${bits} bits.`,
  );
}

/** The part of a head that both protocols share: 32 bytes a chunk. */
export async function chunkDigests(chunks: readonly Bytes[]): Promise<Bytes> {
  const digests = new Writer();
  for (const chunk of chunks) digests.raw(await suite.sha256(chunk));
  return digests.bytes();
}

export function readChunkDigests(reader: Reader, { length, bits }: AggregationContext): Bytes[] {
  return chunkBytes(length, bits).map(() => reader.raw(32));
}

/** Updates of one sum. */
export class Uploads {
  readonly #sizes: readonly number[];
  readonly #bits: number;
  /** Digests of the chunks of updates that are to come, by site. */
  readonly #coming = new Map<number, readonly Bytes[]>();
  readonly #accepted = new Set<number>();

  constructor({ length, bits }: AggregationContext) {
    this.#sizes = chunkBytes(length, bits);
    this.#bits = bits;
  }

  /** Chunks of an update. */
  get chunks(): number {
    return this.#sizes.length;
  }

  /** Expects the update of a site whose head was accepted. */
  begin(site: number, digests: readonly Bytes[]): void {
    this.#coming.set(site, digests);
  }

  /**
   * Checks all chunks of an update; one that was accepted before changes nothing.
   * @throws SkeinError AGGREGATION_CHUNK_INVALID, AGGREGATION_PHASE_ANSWERED before the head and after `close`.
   */
  async accept(site: number, read: ReadChunk): Promise<void> {
    if (this.#accepted.has(site)) return;
    const digests = this.#coming.get(site);
    for (const [chunk, size] of digests === undefined ? [] : this.#sizes.entries()) {
      const bytes = await read(chunk, size);
      if (
        bytes.length === size &&
        sameBytes(await suite.sha256(bytes as Bytes), digests![chunk]!)
      ) {
        continue;
      }
      throw new SkeinError(
        'AGGREGATION_CHUNK_INVALID',
        `Chunk ${chunk} of site ${site} is not the one whose digest the site signed.`,
      );
    }
    // The sum may have been closed meanwhile.
    if (digests === undefined || this.#coming.get(site) !== digests) {
      throw new SkeinError(
        'AGGREGATION_PHASE_ANSWERED',
        `Site ${site} sends an update whose head was not accepted, or after the sum was closed.`,
      );
    }
    this.#coming.delete(site);
    this.#accepted.add(site);
  }

  has(site: number): boolean {
    return this.#accepted.has(site);
  }

  /** Takes no more. @returns the sites whose updates are in the sum, ascending. */
  close(): number[] {
    this.#coming.clear();
    return [...this.#accepted].toSorted((a, b) => a - b);
  }

  /** Adds entries `from` and those after it to a part of the sum, modulo 2^32. @param from a multiple of a chunk. */
  async addTo(sum: Uint32Array, from: number, read: ReadUpdate): Promise<void> {
    for (let at = 0; at < sum.length; at += CHUNK) {
      const part = sum.subarray(at, at + CHUNK);
      const chunk = (from + at) / CHUNK;
      for (const site of this.#accepted) {
        addPacked(part, await read(site, chunk, this.#sizes[chunk]!), this.#bits);
      }
    }
  }
}
