/** Gives the memory of a piece of a body back at once. */
import type { IncomingMessage } from 'node:http';

/**
 * Frees the bytes of a piece that is not used any more. They lie outside of V8's heap, which collects
 * them late: a flood of bodies takes hundreds of megabytes otherwise.
 *
 * @param piece empty afterwards. One that is a part of a larger buffer stays as it is.
 */
export function freePiece({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Reads the rest of a body and discards it. @param onPiece called for every piece. */
export function discardBody(request: IncomingMessage, onPiece?: () => void): void {
  request.on('data', (piece: Buffer) => {
    freePiece(piece);
    onPiece?.();
  });
}
