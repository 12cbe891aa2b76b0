/**
 * Decides how many rows a free replica runs now, or how long it waits for more.
 *
 * A batch is as large as is good for throughput (a larger one only delays the requests behind it)
 * and as the deadline of its first member allows; idle replicas share the queued rows between them.
 * The good size depends on the number of queued rows: a larger size matters only once there are
 * enough rows.
 *
 * If runs took longer than predicted, the first request may be behind its plan. It then gets a
 * smaller batch too, but only while that is efficient: with more than a full batch queued, small
 * runs would delay every request behind it, so the request is abandoned instead (as in Nexus, SOSP
 * 2019).
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
  /** Whether to abandon the first request, see above. */
  giveUp: boolean;
  /** When to decide again if no request arrives before. */
  waitUntil: Instant;
}

/** A smaller batch for a request behind its plan must keep this fraction of the throughput. */
const WORTH = 0.8;

/**
 * A smaller fixed cost is not worth waiting for: while the replica runs the first row, the gateway
 * reads the next ones anyway, and waiting would only make the two alternate (measured with a fixed
 * cost of 0.3 ms at 16 connections: a quarter less throughput).
 */
const LEAST_SAVING_MS = 2;

/** Writes the result into `decision`. */
export function decideBatch(view: BatchView, decision: BatchDecision): void {
  const { now, curve, waitingRows, firstRows } = view;
  decision.waitUntil = Infinity;
  decision.giveUp = false;
  const share = Math.ceil(waitingRows / view.idle);
  const full = Math.max(firstRows, Math.min(view.goodRows, view.maxRows, share));
  const onPlan = now <= view.firstStartBy;
  let rows = full;
  while (rows > firstRows) {
    const took = onPlan ? curve.p99(rows, now) : curve.p50(rows, now);
    if (now + took <= view.firstDeadline) break;
    rows = Math.max(firstRows, rows - 1 - (rows >> 6));
  }
  decision.rows = rows;
  if (!onPlan && waitingRows - firstRows >= full) {
    decision.giveUp = rows * curve.p50(full, now) < WORTH * full * curve.p50(rows, now);
  }
  if (view.idle > 1 || view.othersWait || rows !== waitingRows) return;
  if (rows >= Math.min(view.worthRows, view.maxRows) || view.arrivalsPerMs === 0) return;

  const cost = curve.p50(rows, now);
  const more = curve.p50(rows + 1, now);
  const gap = 1 / view.arrivalsPerMs;
  if ((more + gap) * rows >= cost * (rows + 1)) return;
  const fixed = cost - rows * (more - cost);
  if (fixed < LEAST_SAVING_MS) return;
  const until = Math.min(
    Math.max(view.firstEnqueuedAt, view.idleSince) + fixed,
    view.firstDeadline - curve.p99(rows + 1, now),
    view.mayIdleUntil,
  );
  if (until <= now) return;
  decision.rows = 0;
  decision.waitUntil = until;
}
