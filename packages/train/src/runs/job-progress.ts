/** Progress and checkpoints of a training as lines on stderr that the worker of a job reads. */
import type { Progress } from '../trainer/trainer.ts';

/** Milliseconds between two reports. */
const REPORTED_EVERY = 500;
/** Milliseconds between two checkpoints that a worker is asked to copy, at least. */
const COPIED_EVERY = 60_000;
/**
 * Bytes that are copied per second, on average, at most: a copy lies in the store for a day after a newer one has
 * replaced it, so a run takes at most 22 GB there.
 */
const COPIED_BYTES_PER_SECOND = 2 ** 18;

export interface JobProgress {
  readonly onProgress: (progress: Progress) => void;
  readonly onCheckpoint: (sizeBytes: number) => void;
}

export function jobProgress(
  write: (line: string) => void,
  now: () => number = () => performance.now(),
): JobProgress {
  let reportedAt = Number.NEGATIVE_INFINITY;
  let copyFrom = Number.NEGATIVE_INFINITY;
  return {
    onProgress({ epoch, epochs, step, steps, loss }) {
      const at = now();
      if (step < steps && at - reportedAt < REPORTED_EVERY) return;
      reportedAt = at;
      const share = (step / steps).toFixed(4);
      write(
        `::progress ${share} epoch ${epoch + 1} of ${epochs}, loss ${Number(loss.toPrecision(4))}`,
      );
    },
    onCheckpoint(sizeBytes) {
      const at = now();
      if (at < copyFrom) return;
      copyFrom = at + Math.max(COPIED_EVERY, (1000 * sizeBytes) / COPIED_BYTES_PER_SECOND);
      write('::checkpoint');
    },
  };
}
