/**
 * Which routes can have the first token within the objective, and when they could. Pure.
 *
 * A request that finds a free place is sent, even where the provider's own tail is longer than the
 * objective: waiting would make nothing better. One that would wait is admitted only when its wait
 * and the p99 of the first token fit into the objective together, so that a queue never makes an
 * answer late. A deadline of the caller's own is a promise: then even an idle provider must have a
 * median that fits.
 */
import { WAITING_FILL } from '../tuning.ts';

export interface Prospect {
  /** Milliseconds until the route's circuit is closed; 0: now. */
  readonly closedInMs: number;
  /** Expected wait for a place. */
  readonly waitMs: number;
  /** Quantiles of the time to the first token without the wait; undefined: not known yet. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export type Verdict =
  | { readonly admitted: true; readonly longestWaitMs: number }
  | {
      readonly admitted: false;
      readonly reason: 'closed' | 'late' | 'never';
      readonly inMs: number;
    };

/**
 * @param objectiveMs what is left of it.
 * @param isPromise whether the caller has named the time itself.
 */
export function admit(prospect: Prospect, objectiveMs: number, isPromise: boolean): Verdict {
  const { closedInMs, waitMs, p50Ms = 0, p99Ms = 0 } = prospect;
  if (closedInMs > 0) return { admitted: false, reason: 'closed', inMs: closedInMs };
  if (isPromise && p50Ms > objectiveMs) return { admitted: false, reason: 'never', inMs: Infinity };
  const longestWaitMs = objectiveMs * WAITING_FILL - p99Ms;
  if (waitMs > 0 && waitMs > longestWaitMs) {
    return {
      admitted: false,
      reason: 'late',
      inMs: Math.max(1, waitMs - Math.max(0, longestWaitMs)),
    };
  }
  return { admitted: true, longestWaitMs: Math.max(0, longestWaitMs) };
}
