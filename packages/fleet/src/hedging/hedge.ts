/**
 * Decides when a request is sent a second time, to another member.
 *
 * A member that is slow now, or stands still, holds what it has accepted. A request that has waited
 * longer than nineteen in twenty of its kind do at that member is sent to a second one as well. The
 * two copies are tied: the first one that starts cancels the other, so that a copy that only waits
 * costs no run. Hedges are bounded to a share of the requests, so that members that are all slow do
 * not make each other slower.
 *
 * Follows the hedged and tied requests of The Tail at Scale (Dean & Barroso, CACM 2013).
 */
import { hedging } from '../tuning.ts';
import type { AnswerTimes } from './answer-times.ts';

/**
 * How long a member has for a request before it is sent to a second one, in milliseconds.
 * @param times what its requests took there.
 * @param quotedMs what the member has predicted for this one; absent: it was not asked.
 * @returns undefined: nothing is known, and no hedge is sent.
 */
export function hedgeAfterMs(
  times: AnswerTimes | undefined,
  quotedMs: number | undefined,
): number | undefined {
  const isKnown = times !== undefined && times.count > 0;
  if (!isKnown && quotedMs === undefined) return undefined;
  const usualMs = isKnown ? times.quantile(hedging.quantile) : 0;
  return Math.max(hedging.leastMs, usualMs, quotedMs ?? 0);
}

/** Hedges that are saved up after one more request. @param share of the requests that may be sent twice. */
export function savedAfter(saved: number, share: number): number {
  return Math.min(hedging.burst, saved + share);
}

/** Whether a hedge may be sent. The tolerance is for sums of fractions. */
export function maySpend(saved: number): boolean {
  return saved >= 1 - 1e-9;
}
