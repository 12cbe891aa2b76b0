/**
 * A message as a list of pieces. Large tensors are written to the socket without a copy: assembling
 * 64 MiB blocks the event loop for a twentieth of a second, and the library would do it twice.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { PREFIX_BYTES } from './message-framer.ts';

export class MessagePieces {
  readonly pieces: readonly Uint8Array[];
  readonly size: number;

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
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
