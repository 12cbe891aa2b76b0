/**
 * Decides whether a request can still be answered in time, and if not, when it could be.
 *
 * Predicting early costs a little goodput when the estimate is pessimistic; not predicting costs
 * all of it under overload, when every answer arrives just too late. So an accepted request is a
 * promise, and a new one is accepted only if
 *
 * 1. it starts early enough itself, behind what is due before it;
 * 2. everybody due after it still does;
 * 3. its tenant has no more waiting than a multiple of the room that is still free.
 *
 * Less urgent levels may fill only a part of the time that is left. The rest is the room in which a
 * more urgent request, or an unlucky run, finds its place although the queue is as full as it gets.
 *
 * The third rule is how switches share a buffer (dynamic thresholds, Choudhury & Hahne 1998): a tenant
 * alone may fill most of the queue, several fill equal parts of it by their weights, and there is
 * always room for one that comes anew. Nobody has to know who will come.
 *
 * Follows the admission rule of Clockwork (OSDI 2020, §4), over all replicas at once (`timeline.ts`).
 */
import type { Instant } from '../contract.ts';
import { MIDDLE_LEVEL } from './deadline-queue.ts';

export const LOWEST_LEVEL = 5;
/** Part of the remaining time that the backlog before a request may fill, by level 1…5. */
const FILL = [1, 0.95, 0.875, 0.75, 0.5];

/** What the replicas and the queue hold, as a newcomer meets it. */
export interface Backlog {
  now: Instant;
  /** Replicas that work. */
  replicas: number;
  /** Sum over the replicas of the times at which they become free at p99; `now` for an idle one. */
  freeAt: number;
  /** Work due before the newcomer, in milliseconds of one replica. */
  workBefore: number;
  /** Latest Σ freeAt for those due after it. */
  latestFreeBehind: number;
  /** Part of the time that stays free in any case, see `caution.ts`. */
  caution: number;
}

export interface Candidate {
  /** Latest time at which its run may start. */
  startBy: Instant;
  /** Work that it adds, in milliseconds of one replica. */
  work: number;
  level: number;
  /** Work of its tenant that waits already. */
  tenantWork: number;
  /** How many times the free room its tenant may have waiting; Infinity while it is the only tenant. */
  tenantReach: number;
}

/** Why a request is not accepted: `alone` when an idle node would be too slow as well. */
export type Lateness = 'alone' | 'backlog' | 'others' | 'share';

export interface Verdict {
  /** Milliseconds until the same request would be accepted if nothing else arrived; ≤ 0 when it is accepted now. */
  lateMs: number;
  reason: Lateness | undefined;
}

/** Writes the verdict into `verdict`: this runs for every request. */
export function assess(backlog: Backlog, candidate: Candidate, verdict: Verdict): void {
  const { now, replicas, freeAt } = backlog;
  const { startBy, work } = candidate;
  const left = startBy - now;
  if (left < 0) {
    verdict.lateMs = -left;
    verdict.reason = 'alone';
    return;
  }
  const fill = (FILL[candidate.level - 1] ?? 1) * (1 - backlog.caution);
  // Waiting helps as fast as the backlog drains: one millisecond of work per replica and millisecond.
  const own = (freeAt + backlog.workBefore) / replicas - now - fill * left;
  const others = (freeAt + work - backlog.latestFreeBehind) / replicas;
  let share = -Infinity;
  if (candidate.tenantWork > 0) {
    const room = (candidate.tenantWork + work) / replicas / candidate.tenantReach;
    // With less time than that, only a tenant with nothing waiting gets in.
    share = room <= fill * left ? own + room : (freeAt + candidate.tenantWork) / replicas - now;
  }
  verdict.lateMs = Math.max(own, others, share);
  if (verdict.lateMs <= 0) verdict.reason = undefined;
  else if (own > 0 && own >= others) verdict.reason = 'backlog';
  else verdict.reason = others >= share ? 'others' : 'share';
}

/** The level of a request's priority: 1 is the most urgent, 0 means the middle. */
export function levelOf(priority: number): number {
  if (priority <= 0) return MIDDLE_LEVEL;
  return Math.min(priority, LOWEST_LEVEL);
}
