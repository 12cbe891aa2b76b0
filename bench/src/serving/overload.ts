/**
 * Goodput when three times the capacity arrives, open loop with Poisson arrivals: goodput over
 * capacity, the latency of admitted requests, and how fast the others are refused.
 *
 * Capacity is the throughput of the server itself in a closed loop that keeps it saturated, so that
 * the fraction measures the effect of overload, apart from how fast the server is.
 */
import { runLoad, type LoadReport } from '@skein/load';
import type { Body } from './models.ts';

export interface OverloadTarget {
  readonly port: number;
  readonly path: string;
  readonly body: Body;
  readonly objectiveMs: number;
}

export interface Overload {
  readonly goodputFraction: number;
  /** p99 latency of answered requests over the objective. */
  readonly admittedP99Ratio: number;
  /** NaN when nothing was refused: then nothing is known of refusals. */
  readonly shedP99Ms: number;
  readonly capacityPerSecond: number;
  readonly goodputPerSecond: number;
  readonly generatorFellBehind: boolean;
}

/** Latency objective of the recogniser. */
export const OBJECTIVE_MS = 250;

export async function measureOverload(
  target: OverloadTarget,
  capacityPerSecond: number,
  seconds: number,
): Promise<Overload> {
  const report: LoadReport = await runLoad({
    target: {
      protocol: 'http',
      host: '127.0.0.1',
      port: target.port,
      path: target.path,
      headers: target.body.headers,
      bodies: [target.body.bytes],
    },
    mode: { kind: 'open', arrivals: 'poisson', rate: 3 * capacityPerSecond },
    durationMs: seconds * 1000,
    warmupMs: Math.min(1000, seconds * 250),
    timeoutMs: 10_000,
    objectiveMs: target.objectiveMs,
    seed: 3,
  });
  return overloadOf(report, capacityPerSecond);
}

export function overloadOf(
  report: Pick<
    LoadReport,
    'goodputPerSecond' | 'latency' | 'refusal' | 'objectiveMs' | 'generator'
  >,
  capacityPerSecond: number,
): Overload {
  return {
    goodputFraction: report.goodputPerSecond / capacityPerSecond,
    admittedP99Ratio: (report.latency.p99Ms ?? Number.POSITIVE_INFINITY) / report.objectiveMs,
    shedP99Ms: report.refusal.p99Ms ?? Number.NaN,
    capacityPerSecond,
    goodputPerSecond: report.goodputPerSecond,
    generatorFellBehind: report.generator.fellBehind,
  };
}
