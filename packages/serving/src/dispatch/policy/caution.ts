/**
 * The fraction of the time that a backlog may fill which stays free, because recent answers came
 * close to their deadlines.
 *
 * The estimates do not cover what happens outside of runs: a busy event loop, the transfer of an
 * answer, a neighbour on the core. The answers show whether enough time is left for that: at most
 * one in a hundred may leave less than `tuning.cautionClose` of its time. Each such answer raises the caution at
 * once, and each other one lowers it a little, so that the two balance at that quantile (stochastic
 * approximation, Robbins & Monro 1951).
 *
 * It limits only the backlog. A request that finds an idle node is never refused for caution, so
 * there are always answers to learn from.
 */
import { tuning } from '../tuning.ts';

export class Caution {
  /** Fraction of the time, from 0 to `tuning.cautionMost`. */
  share = tuning.cautionFirst;

  /** @param left fraction of its time that an answer has left, negative if it is late. */
  note(left: number): void {
    const change =
      left < tuning.cautionClose
        ? tuning.cautionStep
        : -tuning.cautionStep * (1 - tuning.cautionQuantile);
    this.share = Math.min(tuning.cautionMost, Math.max(0, this.share + change));
  }
}
