/** Gives the memory of a piece of a body back at once. */
import type { IncomingMessage } from 'node:http';

/**
 * Frees the bytes of a piece that is not used any more. They lie outside of V8's heap, which collects
 * them late: a flood of bodies takes hundreds of megabytes otherwise.
 *
 * @param piece empty afterwards. One that is a part of a larger buffer stays as it is.
 */
export function freePiece({ buffer, byteLength }: Uint8Array): void {
  const isWhole = byteLength > 0 && buffer.byteLength === byteLength;
  if (isWhole && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Freed in one turn of the event loop: the system takes a tenth of a millisecond for each MiB. */
const FREED_PER_TURN = 32 * 2 ** 20;
const unused: Uint8Array[] = [];

/** As `freePiece`, soon: a connection that ends leaves many bodies of 64 MiB at once. */
export function freeInTurns(piece: Uint8Array): void {
  if (unused.push(piece) === 1) setImmediate(freeSome);
}

function freeSome(): void {
  for (let freed = 0; freed < FREED_PER_TURN && unused.length > 0;) {
    const piece = unused.pop()!;
    freed += piece.byteLength;
    freePiece(piece);
  }
  if (unused.length > 0) setImmediate(freeSome);
}

/** Reads the rest of a body and discards it. @param onPiece called for every piece. */
export function discardBody(request: IncomingMessage, onPiece?: () => void): void {
  request.on('data', (piece: Buffer) => {
    freePiece(piece);
    onPiece?.();
  });
}
