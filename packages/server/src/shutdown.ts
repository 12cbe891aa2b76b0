/**
 * Stops the components of a node in the reverse order of their start, with one shared deadline: no
 * component adds a timeout of its own. A component that has not stopped by then is abandoned, and
 * the exit of the process ends it.
 *
 * Durable data are written before they are acknowledged, so abandoning a component loses none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instant } from '@skein/serving';

export interface Component {
  /** Name for the log. */
  readonly name: string;
  /** @param by the deadline. */
  readonly stop: (by: Instant) => unknown;
}

/** Time after the deadline that the remaining components may take together, in milliseconds. */
const LAST_MS = 400;
/** Minimum time for any component, in milliseconds: closing a database takes a few. */
const LEAST_MS = 40;

/**
 * @param started is emptied.
 * @param late called for every component that was abandoned or failed.
 */
export async function stopComponents(
  started: Component[],
  by: Instant,
  late: (component: string, error?: unknown) => void,
): Promise<void> {
  for (const { name, stop } of started.splice(0).reverse()) {
    const timer = new AbortController();
    const over = sleep(Math.max(LEAST_MS, by + LAST_MS - performance.now()), 'late', {
      signal: timer.signal,
    }).catch(() => undefined);
    try {
      const outcome = await Promise.race([Promise.resolve(stop(by)), over]);
      if (outcome === 'late') late(name);
    } catch (error) {
      late(name, error);
    } finally {
      timer.abort();
    }
  }
}
