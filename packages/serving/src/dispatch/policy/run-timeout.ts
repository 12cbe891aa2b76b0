/**
 * The timeout of a run, after which its replica is ended.
 *
 * After the deadline of all of its requests an answer is worthless, and a replica that still runs
 * only delays other requests. Ending it costs the start of another one, and a late run may still
 * end by itself; hence a grace time. A far deadline does not extend the timeout without limit: the
 * objective bounds it too.
 */
import type { Instant } from '../../contract.ts';

/** Longest time before the grace, whatever the deadline: the largest of these. */
const LONGEST_MS = 10_000;
const LONGEST_OBJECTIVES = 10;
const LONGEST_RUNS = 20;
/** After the deadline: at least so long, and so many times the expected run time at p99. */
const GRACE_MS = 1_000;
const GRACE_RUNS = 4;
/** A thread cannot be ended: it keeps its core, so a mistake costs more. */
const THREAD_GRACE_MS = 5_000;
/** A size without a measured run may be slow, and could never show it if its first run were ended. */
const UNKNOWN_GRACE_MS = 10_000;

export interface RunView {
  readonly startedAt: Instant;
  /** The latest deadline of its requests. */
  readonly deadline: Instant;
  /** Expected run time at p99, in milliseconds; 0 if no run of its size was measured. */
  readonly expectedMs: number;
  readonly objectiveMs: number;
  readonly isolation: 'thread' | 'process';
}

/** When the replica is ended if the run has not finished. */
export function timesOutAt(run: RunView): Instant {
  const { startedAt, deadline, expectedMs, objectiveMs, isolation } = run;
  const longest = Math.max(LONGEST_MS, LONGEST_OBJECTIVES * objectiveMs, LONGEST_RUNS * expectedMs);
  const least = isolation === 'thread' ? THREAD_GRACE_MS : GRACE_MS;
  const grace = expectedMs === 0 ? UNKNOWN_GRACE_MS : Math.max(least, GRACE_RUNS * expectedMs);
  return Math.max(startedAt, Math.min(deadline, startedAt + longest)) + grace;
}
