/**
 * Threads that hold a session, or still run what they were asked before they were given up. A module
 * of its own, because the end of a process asks for them whether it has had a session or not.
 */

/** The threads that have not ended. */
export const living = new Set<object>();

/** `process.exit()` waits for each of them, for ever if native code never returns. */
export function livingThreads(): number {
  return living.size;
}
