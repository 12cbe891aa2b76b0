/**
 * Decides whether a request can still be answered in time, and if not, when it could be.
 *
 * Refusing early costs a little goodput when the estimate is pessimistic. Not refusing costs all of
 * it under overload, when every answer arrives just too late. An accepted request is therefore a
 * promise, and a new one is accepted only if
 *
 * 1. it starts early enough itself, behind the requests with earlier deadlines;
 * 2. every request with a later deadline still starts early enough;
 * 3. the queued work of its tenant is at most a multiple of the free time.
 *
 * Less urgent levels may fill only a part of the remaining time. The rest is for a more urgent
 * request, or for a slow run, when the queue is as full as it gets.
 *
 * The third rule is how switches share a buffer (dynamic thresholds, Choudhury & Hahne 1998): one
 * tenant alone may fill most of the queue, several fill equal parts by their weights, and a new
 * tenant always finds free time. The rule needs no knowledge of future tenants.
 *
 * Follows the admission rule of Clockwork (OSDI 2020, §4), over all replicas at once
 * (`timeline.ts`).
 */
import type { Instant } from '../../contract.ts';
import { MIDDLE_LEVEL } from '../queue/deadline-queue.ts';

export const LOWEST_LEVEL = 5;
/** Fraction of the remaining time that the backlog before a request may fill: a half at level 5, 31/32 at level 1. */
const fillOf = (level: number): number => 1 - 2 ** (level - LOWEST_LEVEL - 1);

/** State of the replicas and the queue when a new request arrives. */
export interface Backlog {
  now: Instant;
  /** Working replicas. */
  replicas: number;
  /** Sum over the replicas of the times at which they become free at p99; `now` for an idle one. */
  freeAt: number;
  /** Work with earlier deadlines than the new request, in milliseconds of one replica. */
  workBefore: number;
  /** Latest Σ freeAt for the requests with later deadlines. */
  latestFreeBehind: number;
  /** Fraction of the time that stays free in any case, see `caution.ts`. */
  caution: number;
}

export interface Candidate {
  /** Latest time at which its run may start. */
  startBy: Instant;
  /** Work that it adds, in milliseconds of one replica. */
  work: number;
  /** The same, or of a probe the optimistic bound. */
  leastWork: number;
  level: number;
  /** Queued work of its tenant. */
  tenantWork: number;
  /** How many times the free time its tenant may have queued; Infinity while it is the only tenant. */
  tenantReach: number;
}

/** Why a request is not accepted: `alone` if an idle node would be too slow as well, `probe` if another request of an unknown cost runs first. */
export type Lateness = 'alone' | 'backlog' | 'promises' | 'share' | 'probe';

export interface Verdict {
  /** Milliseconds until the same request would be accepted if no other arrived; ≤ 0 if it is accepted now. */
  lateMs: number;
  reason: Lateness | undefined;
}

/** Writes the verdict into `verdict`: this runs for every request. */
export function assess(backlog: Backlog, candidate: Candidate, verdict: Verdict): void {
  const { now, replicas, freeAt } = backlog;
  const { startBy, work, leastWork } = candidate;
  const left = startBy - now;
  if (left < 0) {
    verdict.lateMs = -left;
    verdict.reason = 'alone';
    return;
  }
  const fill = fillOf(candidate.level) * (1 - backlog.caution);
  // The backlog drains by one millisecond of work per replica and millisecond.
  const own = (freeAt + backlog.workBefore) / replicas - now - fill * left;
  const later = (freeAt + work - backlog.latestFreeBehind) / replicas;
  let share = -Infinity;
  if (candidate.tenantWork > 0) {
    const needed = (candidate.tenantWork + leastWork) / replicas / candidate.tenantReach;
    // If less time than that is left, only a tenant with an empty queue is admitted.
    share = needed <= fill * left ? own + needed : (freeAt + candidate.tenantWork) / replicas - now;
  }
  verdict.lateMs = Math.max(own, later, share);
  if (verdict.lateMs <= 0) verdict.reason = undefined;
  else if (own > 0 && own >= later) verdict.reason = 'backlog';
  else verdict.reason = later >= share ? 'promises' : 'share';
}

/** The level of a request's priority: 1 is the most urgent, 0 means the middle. */
export function levelOf(priority: number): number {
  if (priority <= 0) return MIDDLE_LEVEL;
  return Math.min(priority, LOWEST_LEVEL);
}
