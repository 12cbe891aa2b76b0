/**
 * The timeout of a run, after which its replica is ended.
 *
 * After the deadline of all of its requests an answer is worthless, and a replica that still runs
 * only delays other requests. Ending it costs the start of another one, and a late run may still
 * end without it; hence a grace time. A far deadline does not extend the timeout without limit: the
 * objective bounds it too.
 */
import type { Instant } from '../../contract.ts';
import { replicaTuning } from '../replica-tuning.ts';

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
  const longest = Math.max(
    replicaTuning.longestMs,
    replicaTuning.longestObjectives * objectiveMs,
    replicaTuning.longestRuns * expectedMs,
  );
  const least = isolation === 'thread' ? replicaTuning.threadGraceMs : replicaTuning.graceMs;
  const grace =
    expectedMs === 0
      ? replicaTuning.unknownGraceMs
      : Math.max(least, replicaTuning.graceRuns * expectedMs);
  return Math.max(startedAt, Math.min(deadline, startedAt + longest)) + grace;
}
