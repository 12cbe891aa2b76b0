/** The constants of the store, one meaning on every backend. */

/** Waiting this long counts as much as one step of priority, in milliseconds. */
export const AGEING_MS = 30_000;
/** Candidates examined per lane before the next lane is tried. */
export const LOOK_AHEAD = 32;
/** Bytes that are kept of an attempt's log; later bytes are dropped. */
export const LOG_BYTES = 4 * 2 ** 20;
/**
 * Bytes that are kept of all logs of a tenant: sixty-four of the largest. The logs that ended first
 * are removed first.
 */
export const TENANT_LOG_BYTES = 64 * LOG_BYTES;
/** Events that are kept for listeners that reconnect. */
export const EVENTS_KEPT = 100_000;
/**
 * How long a gang may hold places while the rest of it is placed; after it the next gang may
 * assemble.
 */
export const ASSEMBLY_MS = 30_000;
/** A worker that was silent for this long is no longer listed. */
export const WORKER_SILENT_MS = 10 * 60_000;
/**
 * How long a worker that missed the notification can still learn that its job was cancelled, in
 * milliseconds.
 */
export const CANCELLED_KEPT_MS = 10 * 60_000;
/** Most transitions of one tick, so that it does not delay other calls for long. */
export const TICK_BATCH = 500;
/** Most jobs in one enqueue: one transaction, one message. */
export const ENQUEUE_BATCH = 10_000;
/** Stands for the fleet while no worker is registered: the memory that goes with one core. */
export const DEFAULT_TOTAL = { millicores: 1000, memoryBytes: 4 * 2 ** 30 };
/** How soon a tick is due when no transition is planned, in milliseconds. */
export const IDLE_MS = 60_000;
/**
 * Bounds of a caller below `admin` where the operator has set nothing for its tenant: a map
 * over a large data set, in calls of a thousand, fits; a loop that submits without end does not. The
 * rate is a thirtieth of what the embedded store accepts.
 */
export const DEFAULT_QUOTA = { maxQueued: 10_000, jobsPerSecond: 1000 };

/** Jobs that one call of Redis reads for a list, about 20 ms. */
export const LIST_SCANNED = 2000;
