/**
 * The frames of gRPC messages in a stream of bytes, however it is split: a flag, the length as four
 * bytes, the message.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { SkeinError } from '@skein/api';
import { allocate, freeInTurns, freePiece } from '@skein/api/owned-memory';

export const PREFIX_BYTES = 5;

/** Initial buffer of a message; it grows as data arrive, so that an announced size costs nothing. */
const FIRST_BYTES = 1 << 20;
const GROWTH = 4;
/** It has its full size when this fraction has arrived: moving 16 MiB takes the event loop 15 ms. */
const CREDIBLE_PARTS = 16;
const SMALL_BYTES = 64 * 1024;

/**
 * Assembles messages. Each piece is copied into its message: keeping a piece would keep the whole
 * read of the socket, which is a thousand times larger if pieces are small.
 */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #isMuchHeld: () => boolean;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixBytes = 0;
  /** Size of the current message, prefix included; 0 until its prefix is complete. */
  #size = 0;
  /** The received part of the current message, prefix included. */
  #frame: Buffer | undefined;
  #at = 0;

  /** @param maxBytes largest message as it arrives, before decompression. @param isMuchHeld see `allocate`. */
  constructor(maxBytes: number, isMuchHeld: () => boolean) {
    this.#maxBytes = maxBytes;
    this.#isMuchHeld = isMuchHeld;
  }

  /** Whether a message is incomplete. */
  get partial(): boolean {
    return this.#prefixBytes > 0;
  }

  /**
   * @returns copies of the messages that these bytes complete, with their prefixes.
   * @throws SkeinError BODY_TOO_LARGE as soon as a prefix announces it.
   */
  write(bytes: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#size === 0) {
        at = this.#readPrefix(bytes, at);
        if (this.#size === 0) break;
      }
      const taken = Math.min(this.#size - this.#at, bytes.length - at);
      const frame = this.#frameFor(this.#at + taken);
      bytes.copy(frame, this.#at, at, at + taken);
      this.#at += taken;
      at += taken;
      if (this.#at < this.#size) continue;
      messages.push(frame.length === this.#size ? frame : frame.subarray(0, this.#size));
      this.#frame = undefined;
      this.#size = this.#at = this.#prefixBytes = 0;
    }
    return messages;
  }

  #readPrefix(bytes: Buffer, from: number): number {
    let at = from;
    while (this.#prefixBytes < PREFIX_BYTES && at < bytes.length) {
      this.#prefix[this.#prefixBytes++] = bytes[at++]!;
    }
    if (this.#prefixBytes < PREFIX_BYTES) return at;
    const [, a, b, c, d] = this.#prefix;
    const length = a! * 2 ** 24 + ((b! << 16) | (c! << 8) | d!);
    if (length > this.#maxBytes) throw messageTooLarge(this.#maxBytes);
    this.#size = PREFIX_BYTES + length;
    const first = Math.min(this.#size, FIRST_BYTES);
    // Small ones are cut from Node's pool.
    this.#frame =
      first < SMALL_BYTES ? Buffer.allocUnsafe(first) : allocate(first, this.#isMuchHeld());
    this.#frame.set(this.#prefix);
    this.#at = PREFIX_BYTES;
    return at;
  }

  #frameFor(bytes: number): Buffer {
    const frame = this.#frame!;
    if (bytes <= frame.length) return frame;
    const isCredible = bytes * CREDIBLE_PARTS >= this.#size;
    const capacity = isCredible ? this.#size : Math.max(bytes, GROWTH * frame.length);
    const grown = allocate(capacity, this.#isMuchHeld());
    frame.copy(grown, 0, 0, this.#at);
    freePiece(frame);
    this.#frame = grown;
    return grown;
  }

  /** Gives back the memory of a message that will not be completed. @param onFreed called when it is. */
  free(onFreed: () => void): void {
    if (this.#frame === undefined) onFreed();
    else freeInTurns(this.#frame, onFreed);
    this.#frame = undefined;
  }
}

function messageTooLarge(maxBytes: number): SkeinError {
  return new SkeinError(
    'BODY_TOO_LARGE',
    `The message is larger than the ${maxBytes} bytes that the node accepts for this method.`,
  );
}

/**
 * A message as a list of pieces. Large tensors are written to the socket without a copy: assembling
 * 64 MiB blocks the event loop for a twentieth of a second, and the library would do it twice.
 */
export class MessagePieces {
  readonly pieces: readonly Uint8Array[];
  readonly size: number;
  /** Whether it is the last message of an answer. */
  readonly endsAnswer: boolean;

  constructor(pieces: readonly Uint8Array[], endsAnswer = true) {
    this.pieces = pieces;
    this.endsAnswer = endsAnswer;
    this.size = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** Writes the message with its frame. @param done called when the peer has read all of it, or with the error. */
  writeTo(stream: ServerHttp2Stream, done: (error?: Error | null) => void): void {
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(this.size, 1);
    stream.cork();
    stream.write(prefix, this.pieces.length === 0 ? done : undefined);
    for (const [index, piece] of this.pieces.entries()) {
      stream.write(piece, index === this.pieces.length - 1 ? done : undefined);
    }
    stream.uncork();
  }
}
