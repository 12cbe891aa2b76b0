/** Reads the rest of a body and discards it. */
import type { IncomingMessage } from 'node:http';
import { freePiece } from '@skein/api/owned-memory';

/** @param onPiece called for every piece. */
export function discardBody(request: IncomingMessage, onPiece?: () => void): void {
  request.on('data', (piece: Buffer) => {
    freePiece(piece);
    onPiece?.();
  });
}
