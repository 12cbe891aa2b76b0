/**
 * Decides how many rows a free replica runs now, or how long it still waits for more.
 *
 * A batch is as large as is good for throughput (beyond that it only delays those behind it) and as
 * its first member's deadline allows; idle replicas share what waits between them.
 *
 * Waiting is worth it only when rows arrive faster than the replica could run them one by one. With
 * a run of n rows costing T(n) and a gap g until the next row, one more row lowers the cost per row if
 *
 *     (T(n+1) + g) / (n+1)  <  T(n) / n,      for T(n) = a + b·n:   n · g < a
 *
 * that is, as long as fewer rows wait than arrive within the fixed cost `a`. Below that rate a lone
 * request never waits, because single runs carry the load. And nobody waits longer than the fixed
 * cost that waiting could save: at worst it costs twice what knowing the future would (ski rental).
 *
 * Choosing batch size and start together against the deadline is Clockwork's (OSDI 2020) and
 * Symphony's (deferred batch scheduling); the rule for waiting is ours.
 */
import type { Instant } from '../contract.ts';
import type { LatencyCurve } from './latency-model.ts';

export interface BatchView {
  now: Instant;
  curve: LatencyCurve;
  /** Rows that one run may hold. */
  maxRows: number;
  /** Rows that are worth running together, see `LatencyCurve.efficientRows`. */
  goodRows: number;
  /** Rows that wait in the lane, the first request's included. */
  waitingRows: number;
  firstRows: number;
  firstDeadline: Instant;
  firstEnqueuedAt: Instant;
  /** Idle replicas, at least 1. */
  idle: number;
  /** When the replica became idle. */
  idleSince: Instant;
  /** Whether requests wait in other lanes: then an idle replica has better things to do than wait. */
  othersWait: boolean;
  /** Rows per millisecond that arrive in the lane. */
  arrivalsPerMs: number;
  /** Until when a replica may stay idle without breaking a promise. */
  mayIdleUntil: Instant;
}

export interface BatchDecision {
  /** Rows to run now; 0 to wait. */
  rows: number;
  /** When to decide again, if nothing arrives before. */
  waitUntil: Instant;
}

/** Writes into `decision`. */
export function decideBatch(view: BatchView, decision: BatchDecision): void {
  const { now, curve, waitingRows, firstRows } = view;
  decision.waitUntil = Infinity;
  const share = Math.ceil(waitingRows / view.idle);
  let rows = Math.max(firstRows, Math.min(view.goodRows, view.maxRows, share));
  // A first request that cannot be promised any more constrains nobody.
  if (now + curve.p99(firstRows, now) <= view.firstDeadline) {
    while (rows > firstRows && now + curve.p99(rows, now) > view.firstDeadline) rows--;
  }
  decision.rows = rows;
  if (view.idle > 1 || view.othersWait || rows !== waitingRows) return;
  if (rows >= Math.min(view.goodRows, view.maxRows) || view.arrivalsPerMs === 0) return;

  const cost = curve.p50(rows, now);
  const more = curve.p50(rows + 1, now);
  const gap = 1 / view.arrivalsPerMs;
  if ((more + gap) * rows >= cost * (rows + 1)) return;
  const fixed = cost - rows * (more - cost);
  const until = Math.min(
    Math.max(view.firstEnqueuedAt, view.idleSince) + fixed,
    view.firstDeadline - curve.p99(rows + 1, now),
    view.mayIdleUntil,
  );
  if (until <= now) return;
  decision.rows = 0;
  decision.waitUntil = until;
}
