/**
 * Threads that hold a session, or that still run work that was given up. A module of its own,
 * because the end of a process checks them even when it had no session.
 */

/** The threads that have not ended. */
export const living = new Set<object>();

/** `process.exit()` waits for each of them, for ever if native code never returns. */
export function livingThreads(): number {
  return living.size;
}
