/** Waiting for a promise no longer than a signal or a time allows. The work behind it continues. */

/** The longest time of a timer in milliseconds, 24.8 days: one that is set to more fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds for a timer that may be set to any: 0 for a time that is over, and the longest for a later one. */
export function timerMs(ms: number): number {
  return Math.min(Math.max(0, ms), LONGEST_TIMER_MS);
}

/**
 * Settles as the promise does.
 * @throws the signal's reason as soon as that is aborted.
 */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Resolves when the signal is aborted, at once when it is. */
export function untilAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/**
 * Settles as the promise does; when it takes longer than `ms`, as `late` returns or throws.
 * @param ms milliseconds; a time that is over already counts as 0.
 */
export async function within<T, Late>(
  promise: Promise<T>,
  ms: number,
  late: () => Late,
): Promise<T | Late> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timerMs(ms));
  });
  try {
    return await Promise.race([promise, over.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
