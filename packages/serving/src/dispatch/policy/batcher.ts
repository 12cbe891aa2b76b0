/**
 * Decides how many rows a free replica runs now, or how long it waits for more.
 *
 * A batch is as large as is good for throughput (a larger one only delays the requests behind it)
 * and as the deadline of its first member allows; idle replicas share the queued rows between them.
 * The good size depends on the number of queued rows: a larger size matters only once there are
 * enough rows.
 *
 * Waiting pays only if rows arrive faster than the replica could run them one by one. With a run of
 * n rows costing T(n) and a gap g until the next row, one more row lowers the cost per row if
 *
 *     (T(n+1) + g) / (n+1)  <  T(n) / n,      for T(n) = a + b·n:   n · g < a
 *
 * that is, as long as fewer rows are queued than arrive within the fixed cost `a`. Below that rate
 * a lone request never waits, because single runs carry the load. No request waits longer than the
 * fixed cost that waiting could save: at worst it costs twice the optimum with knowledge of the
 * future (ski rental).
 *
 * Choosing batch size and start together against the deadline follows Clockwork (OSDI 2020) and
 * Symphony (deferred batch scheduling); the rule for waiting is new here.
 */
import type { Instant } from '../../contract.ts';
import type { LatencyCurve } from '../cost/latency-curve.ts';
import { tuning } from '../tuning.ts';

export interface BatchView {
  now: Instant;
  curve: LatencyCurve;
  /** Rows that one run may hold. */
  maxRows: number;
  /** Best number of rows for one run, given the queued rows, see `LatencyCurve.batchRowsOf`. */
  goodRows: number;
  /** Number of rows that are worth waiting for, see `LatencyCurve.efficientRows`. */
  worthRows: number;
  /** Queued rows of the lane, the first request's included. */
  waitingRows: number;
  firstRows: number;
  firstDeadline: Instant;
  firstStartBy: Instant;
  firstEnqueuedAt: Instant;
  /** Idle replicas, at least 1. */
  idle: number;
  /** When the replica became idle. */
  idleSince: Instant;
  /** Whether requests wait in other lanes: an idle replica then runs those instead of waiting. */
  othersWait: boolean;
  /** Arrival rate of the lane in rows per millisecond. */
  arrivalsPerMs: number;
  /** Until when a replica may stay idle without breaking a promise. */
  mayIdleUntil: Instant;
}

export interface BatchDecision {
  /** Rows to run now; 0 to wait. */
  rows: number;
  /** When to decide again if no request arrives before. */
  waitUntil: Instant;
}

/** Writes the result into `decision`. */
export function decideBatch(view: BatchView, decision: BatchDecision): void {
  const { now, curve, waitingRows, firstRows } = view;
  decision.waitUntil = Infinity;
  const share = Math.ceil(waitingRows / view.idle);
  const full = Math.max(firstRows, Math.min(view.goodRows, view.maxRows, share));
  const onPlan = now <= view.firstStartBy;
  let rows = full;
  while (rows > firstRows) {
    const took = onPlan ? curve.p99(rows) : curve.p50(rows);
    if (now + took <= view.firstDeadline) break;
    rows = Math.max(firstRows, rows - 1 - (rows >> 6));
  }
  decision.rows = rows;
  if (view.idle > 1 || view.othersWait || rows !== waitingRows) return;
  if (rows >= Math.min(view.worthRows, view.maxRows) || view.arrivalsPerMs === 0) return;

  const cost = curve.p50(rows);
  const more = curve.p50(rows + 1);
  const gap = 1 / view.arrivalsPerMs;
  if ((more + gap) * rows >= cost * (rows + 1)) return;
  const fixed = cost - rows * (more - cost);
  if (fixed < tuning.leastSavingMs) return;
  const until = Math.min(
    Math.max(view.firstEnqueuedAt, view.idleSince) + fixed,
    view.firstDeadline - curve.p99(rows + 1),
    view.mayIdleUntil,
  );
  if (until <= now) return;
  decision.rows = 0;
  decision.waitUntil = until;
}
