/**
 * Reads the rest of a rejected body and discards it. Closing a connection with unread bytes resets
 * it, and the client may lose the answer.
 *
 * Discarded bytes are garbage outside of V8's heap, and V8 collects it late: a flood of rejected
 * bodies would take hundreds of megabytes. All connections therefore share one rate.
 */
import type { IncomingMessage } from 'node:http';

/** 64 MiB a second: one rejected body of the largest size is read in about the time of a linger. */
const PAUSE_MS = 50;
const BYTES_PER_PAUSE = (64 * 2 ** 20 * PAUSE_MS) / 1000;

const waiting = new Set<IncomingMessage>();
let left = BYTES_PER_PAUSE;

/** @param onPiece called for every piece of the body. */
export function discardBody(request: IncomingMessage, onPiece?: () => void): void {
  request.once('close', () => waiting.delete(request));
  request.on('data', (piece: Buffer) => {
    left -= piece.length;
    onPiece?.();
    if (left > 0) return;
    if (waiting.size === 0) setTimeout(resume, PAUSE_MS);
    waiting.add(request);
    request.pause();
  });
}

function resume(): void {
  left = BYTES_PER_PAUSE;
  const resumed = [...waiting];
  waiting.clear();
  for (const request of resumed) request.resume();
}
