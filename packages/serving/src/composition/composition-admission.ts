/**
 * Predicts when one more request of a composition would be answered.
 *
 * A composition mostly waits for other deployments, which its concurrent requests share. Whether
 * those requests slow each other down is measured: a line is fitted to the latency of recent runs
 * over their concurrency, the number of requests in the system. If runs are independent, the line
 * is flat. If they queue for one resource, its slope is the time that each holds the resource.
 *
 * It uses the mean, not the p99: the called deployment admits every call again, with a better
 * model. An idle composition always admits a request, because samples expire and one slow minute
 * must not last.
 */
import type { Instant } from '../contract.ts';

const REMEMBERED = 64;
const EXPIRES_MS = 15_000;
/** Samples that are needed for a slope. */
const ENOUGH = 16;
/** An abandoned run counts as this many times its elapsed time. */
const UNFINISHED = 2;

export interface RunWindow {
  /** @param concurrency requests in the system when it arrived, itself included. */
  add(latencyMs: number, concurrency: number, now: Instant): void;
  /** A run that was abandoned after `afterMs`; it would have taken an unknown time longer. */
  addUnfinished(afterMs: number, concurrency: number, now: Instant): void;
  /** Milliseconds until one more request would be answered; 0 without samples or without running requests. */
  predictMs(inSystem: number, now: Instant): number;
  /** Latency of recent runs in milliseconds; 0 without samples. */
  quantile(share: number, now: Instant): number;
}

export function createRunWindow(): RunWindow {
  const samples: {
    readonly at: Instant;
    readonly latencyMs: number;
    readonly concurrency: number;
  }[] = [];

  const expire = (now: Instant): void => {
    while (samples.length > 0 && now - samples[0]!.at > EXPIRES_MS) samples.shift();
  };

  const add = (latencyMs: number, concurrency: number, now: Instant): void => {
    samples.push({ at: now, latencyMs, concurrency });
    if (samples.length > REMEMBERED) samples.shift();
  };

  return {
    add,
    addUnfinished: (afterMs, concurrency, now) => add(afterMs * UNFINISHED, concurrency, now),
    predictMs(inSystem, now) {
      expire(now);
      const count = samples.length;
      if (inSystem === 0 || count === 0) return 0;
      let shortest = Infinity;
      let latencies = 0;
      let concurrencies = 0;
      for (const { latencyMs, concurrency } of samples) {
        shortest = Math.min(shortest, latencyMs);
        latencies += latencyMs;
        concurrencies += concurrency;
      }
      const meanLatency = latencies / count;
      const meanConcurrency = concurrencies / count;
      let covariance = 0;
      let variance = 0;
      for (const { latencyMs, concurrency } of samples) {
        const deviation = concurrency - meanConcurrency;
        covariance += deviation * (latencyMs - meanLatency);
        variance += deviation * deviation;
      }
      const slope = count < ENOUGH || variance === 0 ? 0 : Math.max(0, covariance / variance);
      return Math.max(shortest, meanLatency + slope * (inSystem + 1 - meanConcurrency));
    },
    quantile(share, now) {
      expire(now);
      const latencies = samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
      return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
    },
  };
}
