/**
 * Admits or refuses a request of a composition, and predicts when it would be answered.
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
import { SkeinError } from '@skein/api';
import type { Instant, TargetRequest } from '../contract.ts';

const REMEMBERED = 64;
const EXPIRES_MS = 15_000;
/** Samples that are needed for a slope. */
const ENOUGH = 16;
/** An abandoned run counts as this many times its elapsed time. */
const UNFINISHED = 2;

export function createRunWindow() {
  const samples: {
    readonly at: Instant;
    readonly latencyMs: number;
    readonly concurrency: number;
  }[] = [];

  const expire = (now: Instant): void => {
    while (samples.length > 0 && now - samples[0]!.at > EXPIRES_MS) samples.shift();
  };

  /** @param concurrency requests in the system when it arrived, itself included. */
  const add = (latencyMs: number, concurrency: number, now: Instant): void => {
    samples.push({ at: now, latencyMs, concurrency });
    if (samples.length > REMEMBERED) samples.shift();
  };

  return {
    add,
    /** A run that was abandoned after `afterMs`; it would have taken an unknown time longer. */
    addUnfinished: (afterMs: number, concurrency: number, now: Instant): void =>
      add(afterMs * UNFINISHED, concurrency, now),
    /** Milliseconds until one more request would be answered; 0 without samples or without running requests. */
    predictMs(inSystem: number, now: Instant): number {
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
    /** Latency of recent runs in milliseconds; 0 without samples. */
    quantile(share: number, now: Instant): number {
      expire(now);
      const latencies = samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
      return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
    },
  };
}

/** The work that waits before a request that arrives now. */
export interface CompositionLoad {
  readonly now: Instant;
  /** Whether it has workers, or will. */
  readonly open: boolean;
  /** Requests that are queued or in flight. */
  readonly inSystem: number;
  /** Milliseconds until one more request would be answered. */
  readonly predictedMs: number;
  readonly queued: number;
  /** Queued requests of the tenant, if it may not add one; undefined if it may. */
  readonly full: number | undefined;
}

/** @returns undefined if the request is admitted. */
export function refusalOf(
  { deadline, cancellation }: Pick<TargetRequest, 'deadline' | 'cancellation'>,
  { now, open, inSystem, predictedMs, queued, full }: CompositionLoad,
): SkeinError | undefined {
  if (cancellation?.cancelled === true) {
    return new SkeinError('CANCELLED', 'The client cancelled the request.');
  }
  if (!open) return new SkeinError('NO_REPLICA', 'The composition has no worker.');
  if (deadline <= now) {
    const message = 'The deadline had passed when the request arrived.';
    return new SkeinError('DEADLINE_EXCEEDED', message);
  }
  if (full !== undefined) {
    const message =
      full < queued
        ? `${full} of the ${queued} requests belong to this tenant, which is its share.`
        : `${queued} requests are queued, which is the limit.`;
    return new SkeinError('QUEUE_FULL', message, { retryAfterMs: Math.ceil(predictedMs) });
  }
  const lateMs = Math.ceil(now + predictedMs - deadline);
  if (lateMs <= 0) return undefined;
  const message = `With ${inSystem} requests before it, the answer would be ${lateMs} ms late.`;
  return new SkeinError('DEADLINE_UNREACHABLE', message, { retryAfterMs: lateMs });
}
