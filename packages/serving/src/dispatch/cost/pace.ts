/**
 * Estimates the current speed of the machine, and how much runs vary.
 *
 * The cost of a run has a shape (more rows take longer, depending on the model) and a level (a
 * neighbour on the core, one more replica, a throttled clock slow everything at once). With a
 * separate level, a few runs of one size correct the estimates of all sizes.
 *
 * The level is the median of the recent ratios of duration to shape. A short streak of ratios far
 * on one side sets a new level at once. A single one is a stall and counts as variation.
 *
 * Each size of inputs has its own variation: a stall of a millisecond is five times a run of 0.2 ms
 * and nothing to one of 100 ms. It is measured in multiples of the level at its time, so if stalls
 * come and go, they would count twice once they are the level. Estimates are therefore limited by
 * what recent runs actually took: a node whose slowest run took 50 ms must not predict 250 ms and
 * refuse.
 *
 * Estimates that are too high refuse work and are then never corrected. While they make an idle
 * node refuse requests, a bound therefore decays at which it accepts one: its run corrects them.
 * The estimates themselves stay, so that a request with an impossible deadline opens the node to
 * one other, not to a burst.
 */
import type { Instant } from '../../contract.ts';
import type { CostCell } from './cost-cell.ts';
import { SampleWindow } from './sample-window.ts';
import { tuning } from '../tuning.ts';

// These two keep the costs of sizes that do not run in step with the others over millions of runs. No trace is that
// long, so they are not in tuning.ts.

/**
 * A size becomes the reference when it runs this many times as often as the current one. Each change adds a small
 * error to the costs of sizes that do not run.
 */
const LEAD = 4;
/** Fraction of a difference that a run of the reference corrects: the noise of single runs must not reach other sizes. */
const REFERENCE_GAIN = 0.01;

interface Run {
  /** Ratio of its duration to the shape's. */
  readonly ratio: number;
  readonly cell: CostCell;
  readonly variation: Variation;
}

/** How much the runs of one size of inputs vary. */
export class Variation {
  /** Multiple of the median that 99 of 100 runs stay below. */
  tail = tuning.tailMargin;
  readonly #samples = new SampleWindow(tuning.variationSamples);

  note(residual: number): void {
    this.#samples.record(residual);
  }

  /** @param seen multiple of the level that recent runs of all sizes stay below. */
  update(seen: number): void {
    const { count } = this.#samples;
    if (count === 0) return;
    const isKnown = count >= tuning.fewSamples;
    const tail = isKnown ? this.#samples.quantile(0.99) : this.#samples.largest * tuning.tailMargin;
    const isRegular = isKnown && this.#samples.quantile(tuning.regularQuantile) > tuning.maxTail;
    const most = isRegular ? tuning.maxRegularTail : tuning.maxTail;
    this.tail = Math.max(1, Math.min(most, tail, seen * tuning.tailMargin));
  }
}

export class Pace {
  /** Current multiple of the shape. */
  level = 1;
  /** Runs so far. */
  runs = 0;

  readonly #recent = new SampleWindow(tuning.recentSamples);
  /** Ratios of all recent runs, at any level. */
  readonly #seen = new SampleWindow(tuning.variationSamples);
  /** A size that runs often: the reference for the pace. */
  #reference: CostCell | undefined;
  /** How long its runs take, as a multiple of the level. */
  #ofReference = 1;
  /** Consecutive runs far on one side, which may become a new level. */
  readonly #streak: Run[] = [];
  #streakSide: -1 | 0 | 1 = 0;
  #refusingSince: Instant = Infinity;

  /**
   * @param ms duration of a run.
   * @param shapeMs cost of its size at level 1.
   * @param cell of its size, which learns from the run unless the level has changed.
   * @param variation of its inputs.
   */
  note(ms: number, shapeMs: number, cell: CostCell, variation: Variation, now: Instant): void {
    const run = { ratio: ms / shapeMs, cell, variation };
    // The first run of all is better evidence than warming, whose data were synthetic.
    const isFirst = this.runs++ === 0;
    const sunken = this.#refusingSince < now;
    this.#seen.record(run.ratio);
    this.#refusingSince = Infinity;
    const side = this.#sideOf(run);
    if (side !== this.#streakSide) this.#endStreak();
    this.#streakSide = side;
    if (side === 0) {
      this.#count(run);
    } else {
      this.#streak.push(run);
      if (isFirst || (sunken && side < 0) || this.#streak.length >= tuning.streak)
        this.#changeLevel();
    }
    if (this.#recent.count > 0) this.level = this.#recent.quantile(0.5);
    variation.update(this.#seen.quantile(0.99) / this.level);
  }

  /** An idle node has refused a request because it expects the run to take too long. */
  refuse(now: Instant): void {
    if (this.#refusingSince === Infinity) this.#refusingSince = now;
  }

  /** Factor of the optimistic bound; 1 unless an idle node refuses. */
  left(now: Instant): number {
    const since = this.#refusingSince;
    return now > since ? 2 ** ((since - now) / tuning.refusalHalfLifeMs) : 1;
  }

  #changeLevel(): void {
    this.#recent.clear();
    for (const { ratio } of this.#streak) this.#recent.record(ratio);
    this.#streak.length = 0;
  }

  /** A streak that was too short for a new level counts as variation. */
  #endStreak(): void {
    for (const run of this.#streak) this.#count(run);
    this.#streak.length = 0;
  }

  #count({ ratio, cell, variation }: Run): void {
    const residual = ratio / this.level;
    variation.note(residual);
    this.#recent.record(ratio);
    cell.count(this.runs);
    this.#reference ??= cell;
    if (cell.part(this.runs) > LEAD * this.#reference.part(this.runs)) this.#reference = cell;
    const took = Math.min(tuning.paceFar, residual) / this.#ofReference;
    if (cell === this.#reference) this.#ofReference *= took ** REFERENCE_GAIN;
    else cell.learn(took, this.runs);
  }

  /** 1 or -1 if a ratio is further above or below the level than usual. */
  #sideOf({ ratio, variation }: Run): -1 | 0 | 1 {
    const residual = ratio / this.level;
    if (residual > tuning.paceFar && residual > variation.tail) return 1;
    return residual * tuning.paceFar < 1 ? -1 : 0;
  }
}
