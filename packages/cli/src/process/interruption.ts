/**
 * Ctrl-C and SIGTERM are handled from the start: `main.ts` loads this before slow imports, because
 * a signal without a listener kills the process.
 */

/**
 * A Ctrl-C under `npm start` arrives twice, from the terminal and forwarded by npm. Signals this
 * close together, in milliseconds, count as one.
 */
const SAME_SIGNAL_MS = 400;

const first = new AbortController();
let firstAt: number | undefined;

/** The action of Ctrl-C. */
export function interrupt(): void {
  const now = performance.now();
  if (firstAt === undefined) {
    firstAt = now;
    first.abort();
  } else if (now - firstAt > SAME_SIGNAL_MS) {
    void import('./exit.ts').then(({ exit }) => exit(130));
  }
}

/** Aborted by the first signal; a second one ends the process at once, with 130. */
export const interruption = first.signal;

export function listenForInterruption(): void {
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
}
