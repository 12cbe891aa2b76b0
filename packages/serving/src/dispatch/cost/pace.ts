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
 * Variation is measured in multiples of the level at its time, so if stalls come and go, they would
 * count twice once they are the level. Estimates are therefore limited by what recent runs actually
 * took: a node whose slowest run took 50 ms must not predict 250 ms and refuse.
 *
 * Estimates that are too high refuse work and are then never corrected. While they make an idle
 * node refuse requests, they therefore decay: soon a request is accepted, and its run corrects
 * them.
 */
import type { Instant } from '../../contract.ts';
import type { CostCell } from './cost-cell.ts';
import { SampleWindow } from './sample-window.ts';

const LEVEL_SAMPLES = 31;
const VARIATION_SAMPLES = 128;
const VARIATION_AGE_MS = 10_000;
/** A ratio this far from the level may belong to a new one. A slower level needs more evidence. */
const FAR = 1.6;
/** … if it is also this far beyond the usual variation, and more than the machine's scheduler explains. */
const BEYOND = 1.1;
const LOW = 0.03;
const JITTER_MS = 0.5;
const FASTER_STREAK = 2;
const SLOWER_STREAK = 4;
/** How much more often another size must run to become the reference for the pace. */
const CLEARLY = 1.5;
/** A larger tail of few runs is a stall of the machine, which admission cannot plan for. */
const MAX_TAIL = 5;
/** If one run in twenty exceeds it, the tail is typical of the model and is planned for, up to this bound. */
const REGULAR = 0.95;
const MAX_REGULAR_TAIL = 12;
/** The p99 estimate is at most this much more than what recent runs took. */
const BEYOND_SEEN = 1.2;
/** With fewer samples, the largest one plus a margin is the tail. */
const FEW_SAMPLES = 16;
const FEW_SAMPLES_MARGIN = 1.2;
/** Half-life of estimates while an idle node refuses because of them. */
const HALF_LIFE_MS = 500;

interface Run {
  /** Ratio of its duration to the shape's. */
  readonly ratio: number;
  readonly cell: CostCell;
}

export class Pace {
  /** Current multiple of the shape. */
  level = 1;
  /** Multiple of the median that 99 of 100 runs stay below. */
  tail = FEW_SAMPLES_MARGIN;

  readonly #recent = new SampleWindow(LEVEL_SAMPLES);
  readonly #variation = new SampleWindow(VARIATION_SAMPLES, VARIATION_AGE_MS);
  /** Ratios of all recent runs, at any level. */
  readonly #seen = new SampleWindow(VARIATION_SAMPLES, VARIATION_AGE_MS);
  /** The size that runs most: the reference for the pace. */
  #reference: CostCell | undefined;
  /** Consecutive runs far on one side, which may become a new level. */
  readonly #streak: Run[] = [];
  #streakSide: -1 | 0 | 1 = 0;
  #refusingSince: Instant = Infinity;

  /** Runs so far. */
  runs = 0;

  /**
   * @param ms duration of a run.
   * @param shapeMs cost of its size at level 1.
   * @param cell of its size, which learns from the run unless the level has changed.
   */
  note(ms: number, shapeMs: number, cell: CostCell, now: Instant): void {
    const run = { ratio: ms / shapeMs, cell };
    this.runs++;
    this.#seen.record(run.ratio, now);
    const sunken = this.#refusingSince < now;
    this.#refusingSince = Infinity;
    const isJitter = Math.abs(ms - shapeMs * this.level) < JITTER_MS;
    const side = isJitter ? 0 : this.#sideOf(run.ratio);
    if (side !== this.#streakSide) this.#endStreak(now);
    this.#streakSide = side;
    if (side === 0) {
      this.#count(run, now);
    } else {
      this.#streak.push(run);
      // The first run of all is better evidence than warming, whose data were synthetic.
      const isFirst = this.#variation.count === 0;
      const needed = isFirst ? 1 : side > 0 ? SLOWER_STREAK : sunken ? 1 : FASTER_STREAK;
      if (this.#streak.length >= needed) this.#changeLevel(now);
    }
    if (this.#recent.count > 0) this.level = this.#recent.quantile(0.5);
    this.tail = this.#findTail();
  }

  /** An idle node has refused a request because it expects the run to take too long. */
  refuse(now: Instant): void {
    if (this.#refusingSince === Infinity) this.#refusingSince = now;
  }

  /** Decay factor of the estimates; 1 unless an idle node refuses. */
  left(now: Instant): number {
    const since = this.#refusingSince;
    return now > since ? 2 ** ((since - now) / HALF_LIFE_MS) : 1;
  }

  #changeLevel(now: Instant): void {
    this.#recent.clear();
    for (const { ratio } of this.#streak) this.#recent.record(ratio, now);
    this.#streak.length = 0;
  }

  /** A streak that was too short for a new level counts as variation. */
  #endStreak(now: Instant): void {
    for (const run of this.#streak) this.#count(run, now);
    this.#streak.length = 0;
  }

  #count({ ratio, cell }: Run, now: Instant): void {
    const residual = ratio / this.level;
    this.#variation.record(residual, now);
    this.#recent.record(ratio, now);
    cell.count(this.runs);
    const reference = (this.#reference ??= cell);
    if (cell.part(this.runs) > CLEARLY * reference.part(this.runs)) this.#reference = cell;
    if (cell !== this.#reference) cell.learn(residual, this.runs);
  }

  #findTail(): number {
    const { count } = this.#variation;
    if (count === 0) return FEW_SAMPLES_MARGIN;
    const tail =
      count < FEW_SAMPLES
        ? this.#variation.largest * FEW_SAMPLES_MARGIN
        : this.#variation.quantile(0.99);
    const isRegular = count >= FEW_SAMPLES && this.#variation.quantile(REGULAR) > MAX_TAIL;
    const most = isRegular ? MAX_REGULAR_TAIL : MAX_TAIL;
    const seen = (this.#seen.quantile(0.99) / this.level) * BEYOND_SEEN;
    return Math.max(1, Math.min(most, tail, seen));
  }

  /** 1 or -1 if a ratio is further above or below the level than usual. */
  #sideOf(ratio: number): -1 | 0 | 1 {
    const residual = ratio / this.level;
    if (residual > FAR && residual > this.tail * BEYOND) return 1;
    const usual = this.#variation.count < FEW_SAMPLES ? 1 : this.#variation.quantile(LOW);
    return residual * FAR < 1 && residual * BEYOND < usual ? -1 : 0;
  }
}
