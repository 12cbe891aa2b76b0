/**
 * How long a run is waited for before its replica is given up.
 *
 * After the deadline of all of its requests an answer is worth nothing, so a replica that still runs
 * only keeps others waiting. Giving it up costs a start of another one, and a run that is merely late
 * would have ended by itself; hence the grace. A caller that names a far deadline does not get the
 * replica for so long: the objective bounds it too.
 */
import type { Instant } from '../contract.ts';

/** Whatever the deadline says, a run may take the largest of these. */
const LONGEST_MS = 10_000;
const LONGEST_OBJECTIVES = 10;
const LONGEST_RUNS = 20;
/** After the deadline: at least so long, and so many times what the run should take at p99. */
const GRACE_MS = 1_000;
const GRACE_RUNS = 4;
/** A thread cannot be ended: it keeps its core, so a mistake costs more. */
const THREAD_GRACE_MS = 5_000;
/** A model of which no run is known may be slow, and could never show it if it were given up. */
const UNKNOWN_GRACE_MS = 10_000;

export interface RunView {
  readonly startedAt: Instant;
  /** The latest of its requests'. */
  readonly deadline: Instant;
  /** What it should take at p99, in milliseconds; 0 while nothing is known. */
  readonly expectedMs: number;
  readonly objectiveMs: number;
  readonly isolation: 'thread' | 'process';
}

/** When the replica is given up if the run has not ended. */
export function patientUntil(run: RunView): Instant {
  const { startedAt, deadline, expectedMs, objectiveMs, isolation } = run;
  const longest = Math.max(LONGEST_MS, LONGEST_OBJECTIVES * objectiveMs, LONGEST_RUNS * expectedMs);
  const least = isolation === 'thread' ? THREAD_GRACE_MS : GRACE_MS;
  const grace = expectedMs === 0 ? UNKNOWN_GRACE_MS : Math.max(least, GRACE_RUNS * expectedMs);
  return Math.max(startedAt, Math.min(deadline, startedAt + longest)) + grace;
}
