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

/** Recent answer times of one model at one member, in milliseconds: an estimate of their quantile. */
export type AnswerTime = number;

/**
 * The estimate after one more answer: up by a step for a longer time, down by a small part of it for a
 * shorter one, so that it rests where a share of `hedging.quantile` is shorter.
 */
export function answerTimeAfter(estimate: AnswerTime | undefined, tookMs: number): AnswerTime {
  if (estimate === undefined) return tookMs;
  const { quantile, step } = hedging;
  return estimate * (1 + step * (tookMs > estimate ? quantile : quantile - 1));
}

/**
 * How long a member has for a request before it is sent to a second one, in milliseconds.
 * @param observed what its requests take there; absent: not known yet.
 * @param quotedMs what the member has predicted for this one; absent: it was not asked.
 * @returns undefined: nothing is known, and no hedge is sent.
 */
export function hedgeAfterMs(
  observed: AnswerTime | undefined,
  quotedMs: number | undefined,
): number | undefined {
  if (observed === undefined && quotedMs === undefined) return undefined;
  return Math.max(hedging.leastMs, observed ?? 0, quotedMs ?? 0);
}

/** Hedges that are saved up after one more request. @param share of the requests that may be sent twice. */
export function savedAfter(saved: number, share: number): number {
  return Math.min(hedging.burst, saved + share);
}

/** Whether a hedge may be sent. The tolerance is for sums of fractions. */
export function maySpend(saved: number): boolean {
  return saved >= 1 - 1e-9;
}
