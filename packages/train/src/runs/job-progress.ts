/** Progress of a training as lines on stderr that the worker of a job reads. */
import type { Progress } from '../trainer/trainer.ts';

/** Milliseconds between two reports. */
const REPORTED_EVERY = 500;

export function jobProgress(
  write: (line: string) => void,
  now: () => number = () => performance.now(),
): (progress: Progress) => void {
  let reportedAt = Number.NEGATIVE_INFINITY;
  return ({ epoch, epochs, step, steps, loss }) => {
    const at = now();
    if (step < steps && at - reportedAt < REPORTED_EVERY) return;
    reportedAt = at;
    const share = (step / steps).toFixed(4);
    write(
      `::progress ${share} epoch ${epoch + 1} of ${epochs}, loss ${Number(loss.toPrecision(4))}`,
    );
  };
}
