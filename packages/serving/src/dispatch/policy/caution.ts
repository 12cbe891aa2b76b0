/**
 * The fraction of the time that a backlog may fill which stays free, because recent answers came
 * close to their deadlines.
 *
 * The estimates do not cover what happens outside of runs: a busy event loop, the transfer of an
 * answer, a neighbour on the core. The answers show whether enough time is left for that: at most
 * one in a hundred may leave less than `CLOSE` of its time. Each such answer raises the caution at
 * once, and each other one lowers it a little, so that the two balance at that quantile (stochastic
 * approximation, Robbins & Monro 1951).
 *
 * It limits only the backlog. A request that finds an idle node is never refused for caution, so
 * there are always answers to learn from.
 */

/** Fraction of its time that an answer should have left. */
const CLOSE = 0.05;
const QUANTILE = 0.99;
/** Increase by a close answer. */
const STEP = 0.02;
const MOST = 0.5;
/** Initial value: a deployment without answers knows its cost only from warming. */
const FIRST = 0.1;

export class Caution {
  /** Fraction of the time, from 0 to `MOST`. */
  share = FIRST;

  /** @param left fraction of its time that an answer has left, negative if it is late. */
  note(left: number): void {
    const change = left < CLOSE ? STEP : -STEP * (1 - QUANTILE);
    this.share = Math.min(MOST, Math.max(0, this.share + change));
  }
}
