/**
 * Finds the highest rate that a deployment can serve within its objective: doubles from a first
 * guess until the objective breaks, then halves the bracket (on a logarithmic scale, because the
 * ratio matters). One measurement decides whether a rate is within the objective, so the search is
 * a policy over an injected `measure` and is tested without a network.
 */

export interface Carried {
  /** Share of requests answered inside the objective; null when none was sent. */
  readonly attainment: number | null;
}

export interface CapacityOptions {
  /** Requests per second to try first. */
  readonly first: number;
  /** Share of requests that must be answered inside the objective. */
  readonly quantile: number;
  /** The search ends when the bracket is this narrow: 0.05 means that the answer is within 5 %. */
  readonly precision: number;
  /** Measurements at most. */
  readonly maxTries: number;
}

export interface Capacity<R> {
  /** The highest rate measured within the objective; 0 when there is none. */
  readonly rate: number;
  /** The lowest rate measured outside of the objective; undefined when there is none. */
  readonly brokenAt: number | undefined;
  /** Every measurement, by rate. */
  readonly points: readonly {
    readonly rate: number;
    readonly report: R;
    readonly carried: boolean;
  }[];
}

const LEAST_RATE = 0.1;

export async function findCapacity<R extends Carried>(
  measure: (rate: number) => Promise<R>,
  { first, quantile, precision, maxTries }: CapacityOptions,
): Promise<Capacity<R>> {
  const points: { rate: number; report: R; carried: boolean }[] = [];
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let rate = Math.max(LEAST_RATE, first);
  while (points.length < maxTries) {
    const report = await measure(rate);
    const carried = (report.attainment ?? 0) >= quantile;
    points.push({ rate, report, carried });
    if (carried) low = Math.max(low, rate);
    else high = Math.min(high, rate);
    if (high <= LEAST_RATE || (low > 0 && high / low <= 1 + precision)) break;
    if (high === Number.POSITIVE_INFINITY) rate = low * 2;
    else if (low === 0) rate = Math.max(LEAST_RATE, high / 4);
    else rate = Math.sqrt(low * high);
  }
  return {
    rate: low,
    brokenAt: Number.isFinite(high) ? high : undefined,
    points: points.sort((a, b) => a.rate - b.rate),
  };
}
