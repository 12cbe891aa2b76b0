/**
 * Decides how many rows a free replica runs now, or how long it still waits for more.
 *
 * A batch is as large as is good for throughput (beyond that it only delays those behind it) and as
 * its first member's deadline allows; idle replicas share what waits between them. How large is good
 * depends on how many wait: a size that is worth waiting for decides nothing before so many are there.
 *
 * When runs took longer than predicted, the first request may be behind its plan. It then gets a
 * smaller batch too, but only while that is efficient: with more than a full batch waiting, small
 * runs would make everybody late after it, so it is given up instead (as Nexus does, SOSP 2019).
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
  /** Rows that are best run together of those that wait, see `LatencyCurve.batchRowsOf`. */
  goodRows: number;
  /** Rows that are worth waiting for, see `LatencyCurve.efficientRows`. */
  worthRows: number;
  /** Rows that wait in the lane, the first request's included. */
  waitingRows: number;
  firstRows: number;
  firstDeadline: Instant;
  firstStartBy: Instant;
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
  /** Whether the first request is better given up than served, see above. */
  giveUp: boolean;
  /** When to decide again, if nothing arrives before. */
  waitUntil: Instant;
}

/** A smaller batch for the sake of one that is behind its plan must keep this part of the throughput. */
const WORTH = 0.8;

/**
 * A smaller fixed cost is not worth waiting for: while the replica runs the first row, the gateway
 * reads the next ones anyway, and waiting would only make the two take turns (measured on a model
 * with 0.3 ms of fixed cost at 16 connections: a quarter less throughput).
 */
const LEAST_SAVING_MS = 2;

/** Writes into `decision`. */
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
