/**
 * The cost of a run of one size at level 1, in milliseconds.
 *
 * A run shows the product of size and pace, never one of them. One size that runs often therefore
 * keeps its cost, and other sizes are measured against it when they run. They are not measured against
 * the median of all runs, which is mostly theirs: what makes them learn a little too much or too little
 * would move that median too, and after some ten thousand runs the sizes that do not run would be off by
 * powers of ten.
 */
import { tuning } from '../tuning.ts';

export class CostCell {
  ms: number;
  samples: number;
  /** When it last took the expected time, in milliseconds of all runs of its class until then. */
  restsSinceMs = 0;
  /** Runs until it is known; before, its cost is derived from other sizes. */
  #unknownFor: number;
  /** Fraction of the recent runs, as of run number `#countedAt`. */
  #part = 0;
  #countedAt = 0;

  /** @param ms the cost interpolated from its neighbours, until it runs. */
  constructor(ms?: number) {
    this.ms = ms ?? 0;
    this.samples = 0;
    this.#unknownFor = ms === undefined ? 0 : tuning.runsToKnow;
  }

  /** Warming runs a size a few times: the fastest run is the undisturbed one. */
  seed(ms: number): void {
    this.ms = this.samples === 0 ? ms : Math.min(this.ms, ms);
    this.samples++;
  }

  /** Whether there are too few runs to know its cost. */
  get isGuess(): boolean {
    return this.#unknownFor > 0;
  }

  /** @param run number of the run, over all cells. */
  count(run: number): void {
    this.#part = this.part(run) + 1 / tuning.cellMemoryRuns;
    this.#countedAt = run;
    this.see();
  }

  /** A run of it was measured. */
  see(): void {
    this.samples++;
    if (this.#unknownFor > 0) this.#unknownFor--;
  }

  /**
   * Records a run. After a run that took less than expected, most of the time since the last one
   * counts for the next try: the run has cost less, and there is something to learn.
   * @param busyMs time of all runs of its class.
   */
  rest(busyMs: number, residual: number): void {
    this.restsSinceMs += Math.min(1, residual) * (busyMs - this.restsSinceMs);
  }

  /** This cell's fraction of the recent runs. */
  part(run: number): number {
    return this.#part * (1 - 1 / tuning.cellMemoryRuns) ** (run - this.#countedAt);
  }

  /**
   * @param residual actual duration of a run divided by the one that the reference shows.
   * @param run number of the run, which has been counted.
   */
  learn(residual: number, run: number): void {
    const lately = this.part(run) * tuning.cellMemoryRuns;
    const gain = Math.max(tuning.cellGain, 1 / this.samples, 1 / lately);
    this.ms *= residual ** gain;
  }
}
