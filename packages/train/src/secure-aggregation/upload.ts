/**
 * A masked update on its way: its sender signs the digests of its chunks once, in the head; the
 * receiver adds each chunk to the sum as it arrives, in any order.
 *
 * The sum holds chunks of updates that are not complete. They are kept in a spool until the update is,
 * and subtracted when it never will be: memory is one sum plus what the spool holds.
 */
import { SkeinError } from '@skein/api/errors';
import type { AggregationContext } from './context.ts';
import { suite, type Bytes } from './crypto/suite.ts';
import { addPacked, CHUNK, chunkBytes } from './packing.ts';
import { type Reader, sameBytes, Writer } from './wire/bytes.ts';

type Later<T> = T | Promise<T>;

/** Keeps chunks of updates that are not complete: in memory, or a folder. */
export interface Spool {
  write(site: number, chunk: number, bytes: Uint8Array): Later<void>;
  read(site: number, chunk: number): Later<Uint8Array>;
  remove(site: number): Later<void>;
}

export function memorySpool(): Spool {
  const sites = new Map<number, Map<number, Uint8Array>>();
  return {
    write(site, chunk, bytes) {
      if (!sites.has(site)) sites.set(site, new Map());
      // A copy: the caller may use its buffer again.
      sites.get(site)!.set(chunk, bytes.slice());
    },
    read: (site, chunk) => sites.get(site)!.get(chunk)!,
    remove: (site) => void sites.delete(site),
  };
}

/** Reads a chunk of a stored update. Its result is not used after the next call. */
export type ReadChunk = (chunk: number, bytes: number) => Later<Uint8Array>;

/** A masked update: the head is accepted first, then the chunks in any order. */
export interface MaskedUpdate {
  readonly head: Bytes;
  readonly chunks: readonly Bytes[];
}

/** @throws SkeinError AGGREGATION_INVALID where an input has another length, or an entry does not fit. */
export function checkInput(input: Uint32Array, { length, bits }: AggregationContext): void {
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

interface Upload {
  readonly digests: Bytes[];
  /** Chunks that are being added, and those that are in the sum. */
  readonly arrived: Set<number>;
  readonly added: Set<number>;
}

/** A sum of uploads, modulo 2^32. */
export class Uploads {
  readonly #length: number;
  #sum: Uint32Array<ArrayBuffer> | undefined;
  readonly #sizes: readonly number[];
  readonly #bits: number;
  readonly #spool: Spool;
  readonly #open = new Map<number, Upload>();

  constructor({ length, bits }: AggregationContext, spool: Spool) {
    this.#length = length;
    this.#sizes = chunkBytes(length, bits);
    this.#bits = bits;
    this.#spool = spool;
  }

  /** Takes memory from the first use on. */
  get sum(): Uint32Array<ArrayBuffer> {
    return (this.#sum ??= new Uint32Array(this.#length));
  }

  /** Expects the chunks of a site whose head was accepted. */
  begin(site: number, digests: Bytes[]): void {
    this.#open.set(site, { digests, arrived: new Set(), added: new Set() });
  }

  /**
   * Adds a chunk; one that has arrived before changes nothing.
   * @throws SkeinError AGGREGATION_CHUNK_INVALID, AGGREGATION_PHASE_ANSWERED before the head.
   */
  async add(site: number, chunk: number, bytes: Uint8Array): Promise<void> {
    const upload = this.#opened(site);
    await this.#check(site, upload, chunk, bytes);
    if (upload.arrived.has(chunk)) return;
    upload.arrived.add(chunk);
    // Before it is added, so that it can be subtracted; the last chunk never has to be.
    if (upload.added.size + 1 < this.#sizes.length) {
      try {
        await this.#spool.write(site, chunk, bytes);
      } catch (error) {
        upload.arrived.delete(chunk);
        throw error;
      }
    }
    if (this.#open.get(site) !== upload) {
      throw new SkeinError(
        'AGGREGATION_PHASE_ANSWERED',
        `Chunk ${chunk} of site ${site} arrives after the sum was closed.`,
      );
    }
    upload.added.add(chunk);
    addPacked(this.#part(chunk), bytes, this.#bits, 1);
    if (this.isComplete(site)) await this.#spool.remove(site);
  }

  /**
   * Adds all chunks of an update that is stored somewhere: nothing of it where one is wrong, so that it
   * takes no spool. One that is in the sum before changes nothing. After an error of `read` the sum may
   * hold a part of the update, and is of no use.
   *
   * @param read called twice for each chunk.
   * @throws SkeinError AGGREGATION_CHUNK_INVALID, AGGREGATION_PHASE_ANSWERED before the head.
   */
  async addAll(site: number, read: ReadChunk): Promise<void> {
    const upload = this.#opened(site);
    if (upload.added.size > 0) return;
    for (const [chunk, size] of this.#sizes.entries()) {
      await this.#check(site, upload, chunk, await read(chunk, size));
    }
    for (const [chunk, size] of this.#sizes.entries()) {
      addPacked(this.#part(chunk), await read(chunk, size), this.#bits, 1);
      upload.arrived.add(chunk);
      upload.added.add(chunk);
    }
  }

  /** @throws SkeinError AGGREGATION_PHASE_ANSWERED. */
  #opened(site: number): Upload {
    const upload = this.#open.get(site);
    if (upload !== undefined) return upload;
    throw new SkeinError(
      'AGGREGATION_PHASE_ANSWERED',
      `Site ${site} sends a chunk, but the head of its update was not accepted.`,
    );
  }

  /** @throws SkeinError AGGREGATION_CHUNK_INVALID. */
  async #check(site: number, upload: Upload, chunk: number, bytes: Uint8Array): Promise<void> {
    const digest = upload.digests[chunk];
    const matches =
      digest !== undefined &&
      bytes.length === this.#sizes[chunk] &&
      sameBytes(await suite.sha256(bytes as Bytes), digest);
    if (matches) return;
    throw new SkeinError(
      'AGGREGATION_CHUNK_INVALID',
      `Chunk ${chunk} of site ${site} is not the one whose digest the site signed.`,
    );
  }

  isComplete(site: number): boolean {
    return this.#open.get(site)?.added.size === this.#sizes.length;
  }

  /** The chunks of a site that are still to come: what a sender that resumes sends. */
  missing(site: number): number[] {
    const upload = this.#open.get(site);
    return this.#sizes.map((_, at) => at).filter((at) => !upload?.added.has(at));
  }

  /** Subtracts what is not complete. @returns the sites whose updates are in the sum, ascending. */
  async close(): Promise<number[]> {
    const complete: number[] = [];
    const open = [...this.#open];
    // Before anything is awaited: a chunk that is still being written must not be added.
    this.#open.clear();
    for (const [site, { added }] of open) {
      if (added.size === this.#sizes.length) {
        complete.push(site);
        continue;
      }
      for (const chunk of added) {
        addPacked(this.#part(chunk), await this.#spool.read(site, chunk), this.#bits, -1);
      }
      await this.#spool.remove(site);
    }
    return complete.toSorted((a, b) => a - b);
  }

  #part(chunk: number): Uint32Array {
    return this.sum.subarray(chunk * CHUNK, (chunk + 1) * CHUNK);
  }
}
