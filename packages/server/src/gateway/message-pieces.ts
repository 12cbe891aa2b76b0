/**
 * A message as the pieces that it is made of. Large tensors go to the socket as they are: putting 64 MiB
 * together takes the event loop a twentieth of a second, and the library would do it twice.
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

  /** Writes the message with its frame. @param done when the peer has taken all of it, or with why not. */
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
