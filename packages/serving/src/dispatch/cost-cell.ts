/**
 * What a run of one size costs at level 1, in milliseconds.
 *
 * A run says what size and pace cost together, never which of them. So one size, that which runs
 * most, stays as it is and defines the pace; the others are measured against it when they run. Were
 * all of them to move, the noise of those that run would slowly carry them away from those that do not.
 */

/** Runs over which a cell's part of all runs is taken. */
const MEMORY = 64;
/** Part of a difference that a run corrects, once there are a few samples; of a size that runs rarely. */
const GAIN = 0.1;
const RARE_GAIN = 0.5;
/** The largest slowness that one run can tell: the rest is a stall. Nothing runs fast by accident. */
const FAR = 2;
/** The first runs of a size are slower than those that follow, and few say little. */
const RUNS_TO_KNOW = 6;
/** A cell that has not run for so many runs may be wrong by what has changed since. */
const STALE_AFTER = 256;

export class CostCell {
  ms: number;
  samples: number;
  /** When it took what was expected, in milliseconds that all runs of its class had taken by then. */
  restsSinceMs = 0;
  /** Runs until it is known: what it costs was concluded from other sizes. */
  #unknownFor: number;
  /** Part of the recent runs, as of run number `#countedAt`. */
  #part = 0;
  #countedAt = 0;

  /** @param ms what its neighbours make expect, until it runs. */
  constructor(ms?: number) {
    this.ms = ms ?? 0;
    this.samples = 0;
    this.#unknownFor = ms === undefined ? 0 : RUNS_TO_KNOW;
  }

  /** Warming runs a size a few times: the fastest is the one that nothing disturbed. */
  seed(ms: number): void {
    this.ms = this.samples === 0 ? ms : Math.min(this.ms, ms);
    this.samples++;
  }

  /** Whether too few runs have been seen to tell what it costs. */
  get isGuess(): boolean {
    return this.#unknownFor > 0;
  }

  /** @param run number of the run, over all cells. */
  count(run: number): void {
    this.#part = this.part(run) + 1 / MEMORY;
    this.#countedAt = run;
    this.samples++;
    if (this.#unknownFor > 0) this.#unknownFor--;
  }

  /**
   * Books a run. One that took less than expected leaves the better part of the time since the last
   * one for another: it has cost less, and there is something to learn.
   * @param busyMs that all runs of its class have taken.
   */
  rest(busyMs: number, residual: number): void {
    this.restsSinceMs += Math.min(1, residual) * (busyMs - this.restsSinceMs);
  }

  /** This cell's part of the runs lately. */
  part(run: number): number {
    return this.#part * (1 - 1 / MEMORY) ** (run - this.#countedAt);
  }

  /**
   * @param residual of what a run took to what it was expected to take.
   * @param run number of the run, which has been counted.
   */
  learn(residual: number, run: number): void {
    const lately = this.part(run) * MEMORY;
    const gain = Math.max(GAIN, 1 / this.samples, Math.min(RARE_GAIN, 1 / lately));
    this.ms *= Math.min(FAR, residual) ** gain;
  }

  isStale(run: number): boolean {
    return run - this.#countedAt > STALE_AFTER;
  }
}
