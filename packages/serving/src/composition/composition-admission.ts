/**
 * Predicts when a composition would finish one more request.
 *
 * What a composition waits for is mostly other deployments, which it shares with the requests beside
 * it. Whether those slow each other down is learnt: a straight line is fitted to the latency of
 * recent runs over the number of requests that were in the system with them. Where runs do not mind
 * company the line is flat; where they queue for one thing it has the slope of that thing's time.
 *
 * The mean, not the p99: every call is admitted again by whom it goes to, with a sharper model. And
 * an idle composition always tries, because samples expire and a bad minute should not last.
 */
import type { Instant } from '../contract.ts';

const REMEMBERED = 64;
const EXPIRES_MS = 15_000;
/** Samples from which a slope is believed. */
const ENOUGH = 16;
/** What a run that was given up counts for, in times of what it had taken until then. */
const UNFINISHED = 2;

export interface RunWindow {
  /** @param together requests in the system when it came, itself included. */
  add(latencyMs: number, together: number, now: Instant): void;
  /** A run that was given up after so long: it would have taken longer, nobody knows how much. */
  addUnfinished(afterMs: number, together: number, now: Instant): void;
  /** Milliseconds until one more request would be answered; 0 while nothing is known or nothing runs. */
  predictMs(inSystem: number, now: Instant): number;
  /** Latency of recent runs in milliseconds; 0 while nothing is known. */
  quantile(share: number, now: Instant): number;
}

export function createRunWindow(): RunWindow {
  const samples: {
    readonly at: Instant;
    readonly latencyMs: number;
    readonly together: number;
  }[] = [];

  const expire = (now: Instant): void => {
    while (samples.length > 0 && now - samples[0]!.at > EXPIRES_MS) samples.shift();
  };

  const add = (latencyMs: number, together: number, now: Instant): void => {
    samples.push({ at: now, latencyMs, together });
    if (samples.length > REMEMBERED) samples.shift();
  };

  return {
    add,
    addUnfinished: (afterMs, together, now) => add(afterMs * UNFINISHED, together, now),
    predictMs(inSystem, now) {
      expire(now);
      const count = samples.length;
      if (inSystem === 0 || count === 0) return 0;
      let shortest = Infinity;
      let latencies = 0;
      let companies = 0;
      for (const { latencyMs, together } of samples) {
        shortest = Math.min(shortest, latencyMs);
        latencies += latencyMs;
        companies += together;
      }
      const meanLatency = latencies / count;
      const meanCompany = companies / count;
      let covariance = 0;
      let variance = 0;
      for (const { latencyMs, together } of samples) {
        const company = together - meanCompany;
        covariance += company * (latencyMs - meanLatency);
        variance += company * company;
      }
      const slope = count < ENOUGH || variance === 0 ? 0 : Math.max(0, covariance / variance);
      return Math.max(shortest, meanLatency + slope * (inSystem + 1 - meanCompany));
    },
    quantile(share, now) {
      expire(now);
      const latencies = samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
      return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
    },
  };
}
