/**
 * How fast the machine runs the model now, and how much runs vary.
 *
 * What a run costs has a shape (more rows take longer, in a way that is the model's own) and a
 * level (a neighbour on the core, a replica more, a throttled clock make everything slower at once).
 * Keeping the level apart means that a few runs of one size correct the estimates of all sizes.
 *
 * The level is the median of the recent ratios of duration to shape. A short streak of ratios that
 * lie far on one side is a new level at once. A single far one is a stall: it counts as variation.
 *
 * Estimates that are too high refuse work and thereby keep themselves alive. So while they make an
 * idle node refuse requests, they sink: soon one is accepted, and its run tells the truth.
 */
import type { Instant } from '../contract.ts';
import { SampleWindow } from './sample-window.ts';

const LEVEL_SAMPLES = 31;
const VARIATION_SAMPLES = 128;
const VARIATION_AGE_MS = 10_000;
/** A ratio this far from the level may belong to a new one. Getting slower needs more evidence. */
const FAR = 1.6;
const BEYOND = 1.1;
const FASTER_STREAK = 2;
const SLOWER_STREAK = 4;
/** Beyond this, a tail is a stall of the machine, which admission cannot plan for. */
const MAX_TAIL = 5;
/** With fewer samples, the largest one and a margin stand for the tail. */
const FEW_SAMPLES = 16;
const FEW_SAMPLES_MARGIN = 1.2;
/** Estimates halve in this time while an idle node refuses because of them. */
const HALF_LIFE_MS = 500;

export class Pace {
  /** Multiple of the shape that a run takes now. */
  level = 1;
  /** Multiple of the median that 99 of 100 runs stay below. */
  tail = FEW_SAMPLES_MARGIN;

  readonly #recent = new SampleWindow(LEVEL_SAMPLES);
  readonly #variation = new SampleWindow(VARIATION_SAMPLES, VARIATION_AGE_MS);
  /** Ratios far on one side, which may become a new level. */
  readonly #streak: number[] = [];
  #refusingSince: Instant = Infinity;

  /** @param ratio duration of a run over the shape's. */
  note(ratio: number, now: Instant): void {
    const sunken = this.#refusingSince < now;
    this.#refusingSince = Infinity;
    const side = this.#sideOf(ratio);
    if (this.#streak.length > 0 && side !== this.#sideOf(this.#streak[0]!)) {
      this.#countAsVariation(now);
    }
    if (side === 0) {
      this.#variation.record(ratio / this.level, now);
      this.#recent.record(ratio, now);
    } else {
      this.#streak.push(ratio);
      const needed = side > 0 ? SLOWER_STREAK : sunken ? 1 : FASTER_STREAK;
      if (this.#streak.length >= needed) this.#changeLevel(now);
    }
    this.level = this.#recent.count === 0 ? this.level : this.#recent.quantile(0.5);
    this.tail = this.#findTail();
  }

  /** An idle node has refused a request because it expects its run to take too long. */
  refuse(now: Instant): void {
    if (this.#refusingSince === Infinity) this.#refusingSince = now;
  }

  /** What is left of an estimate; 1 unless an idle node refuses. */
  left(now: Instant): number {
    const since = this.#refusingSince;
    return now > since ? 2 ** ((since - now) / HALF_LIFE_MS) : 1;
  }

  #changeLevel(now: Instant): void {
    this.#recent.clear();
    for (const ratio of this.#streak) this.#recent.record(ratio, now);
    this.#streak.length = 0;
  }

  #countAsVariation(now: Instant): void {
    for (const ratio of this.#streak) {
      this.#variation.record(ratio / this.level, now);
      this.#recent.record(ratio, now);
    }
    this.#streak.length = 0;
  }

  #findTail(): number {
    const { count } = this.#variation;
    if (count === 0) return FEW_SAMPLES_MARGIN;
    const tail =
      count < FEW_SAMPLES
        ? this.#variation.largest * FEW_SAMPLES_MARGIN
        : this.#variation.quantile(0.99);
    return Math.min(MAX_TAIL, Math.max(1, tail));
  }

  /** 1 or -1 when a ratio is further from the level than runs usually are, above or below. */
  #sideOf(ratio: number): -1 | 0 | 1 {
    const residual = ratio / this.level;
    if (residual > FAR && residual > this.tail * BEYOND) return 1;
    const usual = this.#variation.count < FEW_SAMPLES ? 1 : this.#variation.quantile(0.01);
    return residual * FAR < 1 && residual * BEYOND < usual ? -1 : 0;
  }
}
