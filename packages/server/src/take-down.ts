/**
 * Ends the rooms of a node, in the opposite order of their start, under one deadline that all of them
 * share: none adds a time of its own to those of the others. A room that is not done by then is left
 * behind, and the process that ends takes it along.
 *
 * What must last is written when it is acknowledged, so nothing is lost with a room that is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instant } from '@skein/serving';

export interface Room {
  /** For the log. */
  readonly name: string;
  /** @param by when it should be done. */
  readonly stop: (by: Instant) => unknown;
}

/** After the deadline: how long the rooms behind one that was late may still take together, in milliseconds. */
const LAST_MS = 400;
/** Any room gets at least so long, in milliseconds: closing a database takes a few. */
const LEAST_MS = 40;

/**
 * @param started is emptied.
 * @param late is told of every room that was left behind, or failed.
 */
export async function takeDown(
  started: Room[],
  by: Instant,
  late: (room: string, error?: unknown) => void,
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
