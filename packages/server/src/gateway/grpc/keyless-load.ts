/**
 * Reports when calls without a key come faster than probes send them, and when that is over. A node
 * under such load keeps its memory small (docs/decisions/0020).
 */

const WINDOW_MS = 250;
/** Calls in a window. Probes and clients that wait for a node send a few in a second. */
const HEAVY_CALLS = 25;

/** @param heavy `true` as soon as the load is heavy, `false` after a window in which it was not. */
export type KeylessLoadListener = (heavy: boolean) => void;

export function watchKeylessLoad(onChange: KeylessLoadListener) {
  let calls = 0;
  let heavy = false;
  const become = (now: boolean): void => {
    if (now === heavy) return;
    heavy = now;
    onChange(now);
  };
  const timer = setInterval(() => {
    become(calls >= HEAVY_CALLS);
    calls = 0;
  }, WINDOW_MS);
  timer.unref();
  return {
    /** Counts one call without a key: a method that needs none, or a refused call. */
    count(): void {
      calls += 1;
      if (calls === HEAVY_CALLS) become(true);
    },
    close: (): void => clearInterval(timer),
  };
}
