/** Uploads with a progress bar: bytes, rate and time left, as the node takes the bytes. */
import { formatBytes, formatDuration } from '@skein/api/units';
import type { Notes } from '../output/notes.ts';
import { bar } from '../output/notes.ts';

const PIECE_BYTES = 256 * 1024;

export type UploadProgress = (sentBytes: number, totalBytes: number) => void;

/**
 * A `fetch` that reports how much of a Blob body the network has taken. Bodies of other kinds are
 * passed through.
 */
export function countingFetch(
  onProgress: UploadProgress,
  send = globalThis.fetch,
): typeof globalThis.fetch {
  return (input, init) => {
    const body = init?.body;
    if (!(body instanceof Blob)) return send(input, init);
    return send(input, {
      ...init,
      body: inPieces(body, onProgress),
      duplex: 'half',
    } as RequestInit);
  };
}

/** Reads a Blob in chunks on request; a Blob's own stream may be one chunk. */
function inPieces(body: Blob, onProgress: UploadProgress): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await body.slice(at, at + PIECE_BYTES).arrayBuffer();
        at += piece.byteLength;
        if (piece.byteLength > 0) controller.enqueue(new Uint8Array(piece));
        onProgress(at, body.size);
        if (at >= body.size) controller.close();
      },
    },
    // Reads nothing ahead of the request: the count has the bytes that the network has taken.
    { highWaterMark: 0 },
  );
}

/** Draws the progress of an upload, at most twenty times a second. */
export function uploadNotes(
  notes: Notes,
  label: string,
  now = () => performance.now(),
): UploadProgress {
  const startedAt = now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  return (sent, total) => {
    const at = now();
    if (sent < total && at - drawnAt < 50) return;
    drawnAt = at;
    notes.progress(`${label} ${uploadLine(sent, total, at - startedAt)}`);
  };
}

/** `████░░░░ 12.0 of 64.0 MiB, 80.2 MiB/s, 1.25 s left` */
export function uploadLine(sent: number, total: number, elapsedMs: number): string {
  const share = total === 0 ? 1 : sent / total;
  const perMs = elapsedMs > 0 ? sent / elapsedMs : 0;
  const rate = perMs > 0 ? `, ${formatBytes(perMs * 1000)}/s` : '';
  const left = perMs > 0 && sent < total ? `, ${formatDuration((total - sent) / perMs)} left` : '';
  return `${bar(share, 20)} ${formatBytes(sent)} of ${formatBytes(total)}${rate}${left}`;
}
