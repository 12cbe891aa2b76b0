/**
 * A histogram of a stream of numbers, in memory that does not grow: 4,096 bins around zero.
 *
 * Its limit is a power of two. A number beyond the limit doubles it, which joins each two bins to
 * one, so that no earlier number is read again. The extremes and the count are exact.
 */
const HALF = 2048;

export class Histogram {
  /** Bin i covers [i − HALF, i − HALF + 1) · width. */
  readonly bins = new Float64Array(2 * HALF);
  count = 0;
  low = Infinity;
  high = -Infinity;
  /** Numbers that are not finite; they are in no bin. */
  strays = 0;
  #limit = 2 ** -20;

  get width(): number {
    return this.#limit / HALF;
  }

  /** The middle of a bin. */
  middle(bin: number): number {
    return (bin - HALF + 0.5) * this.width;
  }

  add(numbers: ArrayLike<number>): void {
    let { low, high } = this;
    let strays = 0;
    for (let i = 0; i < numbers.length; i++) {
      const value = numbers[i]!;
      if (value - value !== 0) strays += 1;
      else {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    this.strays += strays;
    this.count += numbers.length - strays;
    if (this.count === 0) return;
    this.low = low;
    this.high = high;
    const largest = Math.max(Math.abs(low), Math.abs(high));
    while (largest >= this.#limit) this.#double();
    const perUnit = 1 / this.width;
    for (let i = 0; i < numbers.length; i++) {
      const value = numbers[i]!;
      if (value - value === 0) this.bins[Math.floor(value * perUnit) + HALF]! += 1;
    }
  }

  #double(): void {
    this.#limit *= 2;
    if (this.count === 0) return;
    const { bins } = this;
    const joined = new Float64Array(2 * HALF);
    for (let i = 0; i < bins.length; i++) joined[((i - HALF) >> 1) + HALF]! += bins[i]!;
    bins.set(joined);
  }
}
