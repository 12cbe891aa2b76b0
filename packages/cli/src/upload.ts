/** Uploads with a progress bar: bytes, rate and time left, as the node takes the bytes. */
import type { Notes } from './output/notes.ts';
import { bar } from './output/notes.ts';
import { formatBytes, formatDuration } from './output/units.ts';

export type UploadProgress = (sentBytes: number, totalBytes: number) => void;

/**
 * A `fetch` that reports how much of a Blob body the network has taken. Bodies of other kinds are
 * passed through.
 */
export function countingFetch(onProgress: UploadProgress): typeof globalThis.fetch {
  return (input, init) => {
    const body = init?.body;
    if (!(body instanceof Blob)) return fetch(input, init);
    let sent = 0;
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        sent += chunk.byteLength;
        onProgress(sent, body.size);
        controller.enqueue(chunk);
      },
    });
    return fetch(input, {
      ...init,
      body: body.stream().pipeThrough(counter),
      duplex: 'half',
    } as RequestInit);
  };
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
