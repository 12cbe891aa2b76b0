/**
 * The newest samples of a quantity, with their quantiles.
 *
 * Quantiles use the lower nearest rank, so that a single outlier never determines one.
 */
export class SampleWindow {
  count = 0;

  readonly #size: number;
  /** Ring of samples. */
  readonly #values: Float64Array;
  readonly #sorted: Float64Array;
  #oldest = 0;

  /** @param size largest number of samples. */
  constructor(size: number) {
    this.#size = size;
    this.#values = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  record(value: number): void {
    if (this.count === this.#size) this.#forgetOldest();
    const slot = (this.#oldest + this.count) % this.#size;
    this.#values[slot] = value;
    const position = this.#positionOf(value);
    this.#sorted.copyWithin(position + 1, position, this.count);
    this.#sorted[position] = value;
    this.count++;
  }

  /** NaN while empty. */
  quantile(q: number): number {
    return this.count === 0 ? Number.NaN : this.#sorted[Math.floor(q * (this.count - 1))]!;
  }

  /** NaN while empty. */
  get largest(): number {
    return this.quantile(1);
  }

  clear(): void {
    this.count = 0;
  }

  #forgetOldest(): void {
    const position = this.#positionOf(this.#values[this.#oldest]!);
    this.#sorted.copyWithin(position, position + 1, this.count);
    this.#oldest = (this.#oldest + 1) % this.#size;
    this.count--;
  }

  /** Index of the first sorted sample that is not smaller. */
  #positionOf(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
