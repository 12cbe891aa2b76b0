/**
 * How much of the time that a backlog may fill stays free, because answers came close to their
 * deadlines lately.
 *
 * Estimates cannot know what happens outside of runs: a busy event loop, an answer on its way, a
 * neighbour on the core. Whether there is enough room for that shows in the answers: at most one in a
 * hundred may leave less than `CLOSE` of its time. Each that does makes admission more careful at
 * once, and each that does not makes it a little bolder, so that the two balance at that quantile
 * (stochastic approximation, Robbins & Monro 1951).
 *
 * It bounds only the backlog. A request that finds an idle node is never refused for caution, so
 * there are always answers to learn from.
 */

/** Part of its time that an answer should have left. */
const CLOSE = 0.05;
const QUANTILE = 0.99;
/** By how much a close answer shortens what may be filled. */
const STEP = 0.02;
const MOST = 0.5;
/** Of a deployment that has not answered anybody: what it knows, it knows from warming. */
const FIRST = 0.1;

export class Caution {
  /** Part of the time, from 0 to `MOST`. */
  share = FIRST;

  /** @param left part of its time that an answer has left, negative when it is late. */
  note(left: number): void {
    const change = left < CLOSE ? STEP : -STEP * (1 - QUANTILE);
    this.share = Math.min(MOST, Math.max(0, this.share + change));
  }
}
