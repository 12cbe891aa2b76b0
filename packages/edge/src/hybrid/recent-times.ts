/** The quantiles of recent times, by which the policy decides. */
import type { Quantiles } from './policy.ts';

/** Times by which quantiles are estimated, and how many there must be. */
const WINDOW = 200;
const LEAST_TIMES = 20;
/** A node is asked seldom: a few trips must do. */
export const LEAST_TRIPS = 5;

export interface RecentTimes {
  add(ms: number): void;
  /** A time that was cut off: it would have taken longer, so it counts where it is above the median already. */
  addCutOff(ms: number): void;
  clear(): void;
  readonly count: number;
  /** @returns undefined before there are enough. */
  quantile(share: number): number | undefined;
  quantiles(): Quantiles | undefined;
}

export function recentTimes(least: number = LEAST_TIMES): RecentTimes {
  /** In their order, and by size. */
  let times: number[] = [];
  let sorted: number[] = [];

  function placeOf(ms: number): number {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  function add(ms: number): void {
    times.push(ms);
    sorted.splice(placeOf(ms), 0, ms);
    if (times.length > WINDOW) sorted.splice(placeOf(times.shift()!), 1);
  }
  function quantile(share: number): number | undefined {
    if (times.length < least) return undefined;
    return sorted[Math.ceil(share * sorted.length) - 1];
  }

  return {
    add,
    addCutOff(ms) {
      if (ms > (quantile(0.5) ?? 0)) add(ms);
    },
    clear() {
      times = [];
      sorted = [];
    },
    get count() {
      return times.length;
    },
    quantile,
    quantiles() {
      const [p50Ms, p99Ms] = [quantile(0.5), quantile(0.99)];
      return p50Ms === undefined || p99Ms === undefined ? undefined : { p50Ms, p99Ms };
    },
  };
}
