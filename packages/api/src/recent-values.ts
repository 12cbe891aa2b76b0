/** The newest values, for a quantile after each: they are kept in order, because to sort them takes 20 µs. */
export interface RecentValues {
  /** Number of kept values. */
  readonly count: number;
  /** Adds a value in the place of the oldest one. */
  add(value: number): void;
  /** The nearest rank of a fraction, from 0 to 1; NaN of none. */
  quantile(fraction: number): number;
}

export function createRecentValues(most: number): RecentValues {
  const byAge = new Float64Array(most);
  const sorted = new Float64Array(most);
  let added = 0;
  let count = 0;

  /** Rank of the first kept value that is not less. */
  function rankOf(value: number): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    get count() {
      return count;
    },
    add(value) {
      const place = added++ % most;
      if (count === most) {
        const oldest = rankOf(byAge[place]!);
        sorted.copyWithin(oldest, oldest + 1, count);
        count -= 1;
      }
      byAge[place] = value;
      const rank = rankOf(value);
      sorted.copyWithin(rank + 1, rank, count);
      sorted[rank] = value;
      count += 1;
    },
    quantile: (fraction) =>
      count === 0 ? Number.NaN : sorted[Math.max(0, Math.ceil(fraction * count) - 1)]!,
  };
}
