/** The measurements of `skein bench` for one deployment: a rate, the capacity, an overload. */
import type { ArrivalKind } from './arrivals.ts';
import { findCapacity, type Capacity } from './measuring/capacity.ts';
import { runLoad, type LoadPlan, type LoadProgress, type LoadReport } from './load.ts';

export interface SessionOptions extends Omit<LoadPlan, 'mode'> {
  /** Share of requests that must be answered inside the objective. */
  readonly quantile: number;
  readonly arrivals: ArrivalKind;
  readonly signal: AbortSignal;
  /** The current measurement, and its progress. */
  readonly onProgress: (what: string, progress: LoadProgress | undefined) => void;
}

export interface Overload {
  readonly factor: number;
  readonly report: LoadReport;
  /** Goodput over the capacity. */
  readonly goodputShare: number;
  /** p99 of answers over the objective; null when none was answered. */
  readonly admittedP99Ratio: number | null;
  readonly refusalP99Ms: number | null;
}

export function measureRate(
  options: SessionOptions,
  rate: number,
  what = `${rate.toPrecision(3)}/s`,
): Promise<LoadReport> {
  return runLoad(
    { ...options, mode: { kind: 'open', arrivals: options.arrivals, rate } },
    {
      signal: options.signal,
      onProgress: (progress) => options.onProgress(what, progress),
    },
  );
}

/** The highest rate inside the objective, found from the throughput of a closed loop. */
export async function measureCapacity(options: SessionOptions): Promise<Capacity<LoadReport>> {
  options.onProgress('throughput of 16 clients', undefined);
  const closed = await runLoad(
    {
      ...options,
      durationMs: Math.min(2000, options.durationMs),
      warmupMs: 500,
      mode: { kind: 'closed', clients: 16 },
    },
    { signal: options.signal },
  );
  return findCapacity((rate) => measureRate(options, rate), {
    first: closed.goodputPerSecond / 2,
    quantile: options.quantile,
    precision: 0.05,
    maxTries: 14,
  });
}

/** Points of a curve, as shares of the capacity, in addition to the search's points. */
const CURVE_SHARES = [0.2, 0.4, 0.6, 0.8, 1.2, 1.5];

/** Points between and beyond the search's points, so that the curve shows its bend. */
export async function completeCurve(
  options: SessionOptions,
  capacity: Capacity<LoadReport>,
): Promise<{ rate: number; report: LoadReport }[]> {
  const points = capacity.points.map(({ rate, report }) => ({ rate, report }));
  for (const share of CURVE_SHARES) {
    const rate = capacity.rate * share;
    const near = points.some((point) => Math.abs(point.rate / rate - 1) < 0.12);
    if (rate <= 0 || near) continue;
    points.push({ rate, report: await measureRate(options, rate) });
  }
  return points
    .filter(({ rate }) => capacity.rate === 0 || rate <= capacity.rate * 2)
    .sort((a, b) => a.rate - b.rate);
}

/**
 * More traffic than the capacity: how much is still answered in time, and how fast the rest is
 * refused.
 */
export async function measureOverload(
  options: SessionOptions,
  capacityRate: number,
  factor: number,
): Promise<Overload> {
  const rate = capacityRate * factor;
  const report = await measureRate(options, rate, `${factor}× the capacity`);
  return {
    factor,
    report,
    goodputShare: report.goodputPerSecond / capacityRate,
    admittedP99Ratio:
      report.latency.p99Ms === null ? null : report.latency.p99Ms / options.objectiveMs,
    refusalP99Ms: report.refusal.p99Ms,
  };
}
