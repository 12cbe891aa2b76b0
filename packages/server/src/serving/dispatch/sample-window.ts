/**
 * The recent durations of one kind of run: a sliding window that answers quantiles and forgets.
 *
 * It forgets in three ways, because an estimate that stays too high refuses work and thereby keeps
 * itself alive: by count, by age, and at once when the last few samples agree that the world has
 * changed (a neighbour left the core, a replica joined).
 *
 * Quantiles are the lower nearest rank, so a single outlier never counts alone.
 */
import type { Instant } from '../contract.ts';

const SIZE = 64;
const MAX_AGE_MS = 10_000;
/** Consecutive samples on the same side that mark a new regime. Getting slower needs more evidence. */
const FASTER_STREAK = 2;
const SLOWER_STREAK = 4;
const REGIME_FACTOR = 2;

export class SampleWindow {
  count = 0;
  /** The shortest duration ever seen, in milliseconds; what remains when all else has decayed. */
  fastest = Infinity;

  /** Ring of durations and of the times they were recorded. */
  readonly #ms = new Float64Array(SIZE);
  readonly #at = new Float64Array(SIZE);
  readonly #sorted = new Float64Array(SIZE);
  #oldest = 0;
  #fasterStreak = 0;
  #slowerStreak = 0;

  record(ms: number, now: Instant): void {
    if (ms < this.fastest) this.fastest = ms;
    if (this.count > 0) this.#notice(ms);
    while (this.count > 0 && now - this.#at[this.#oldest]! > MAX_AGE_MS) this.#forgetOldest();
    if (this.count === SIZE) this.#forgetOldest();

    const slot = (this.#oldest + this.count) % SIZE;
    this.#ms[slot] = ms;
    this.#at[slot] = now;
    const position = this.#positionOf(ms);
    this.#sorted.copyWithin(position + 1, position, this.count);
    this.#sorted[position] = ms;
    this.count++;
  }

  /** Milliseconds at quantile `q`; NaN while empty. */
  quantile(q: number): number {
    return this.count === 0 ? Number.NaN : this.#sorted[Math.floor(q * (this.count - 1))]!;
  }

  get longest(): number {
    return this.count === 0 ? Number.NaN : this.#sorted[this.count - 1]!;
  }

  /** Keeps only the newest samples when they contradict the median together with this one. */
  #notice(ms: number): void {
    const median = this.quantile(0.5);
    this.#fasterStreak = ms * REGIME_FACTOR < median ? this.#fasterStreak + 1 : 0;
    this.#slowerStreak = ms > median * REGIME_FACTOR ? this.#slowerStreak + 1 : 0;
    if (this.#fasterStreak >= FASTER_STREAK) this.#keepNewest(FASTER_STREAK - 1);
    if (this.#slowerStreak >= SLOWER_STREAK) this.#keepNewest(SLOWER_STREAK - 1);
  }

  #keepNewest(count: number): void {
    while (this.count > count) this.#forgetOldest();
    this.#fasterStreak = 0;
    this.#slowerStreak = 0;
  }

  #forgetOldest(): void {
    const position = this.#positionOf(this.#ms[this.#oldest]!);
    this.#sorted.copyWithin(position, position + 1, this.count);
    this.#oldest = (this.#oldest + 1) % SIZE;
    this.count--;
  }

  /** Index of the first sorted sample that is not shorter than `ms`. */
  #positionOf(ms: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
