/**
 * A rate limit in one number: the time at which the bucket is full again.
 *
 * The Generic Cell Rate Algorithm (ITU-T I.371, annex A): every request moves that time one
 * interval further, and is rejected if it is then more than a whole bucket ahead. The decisions
 * equal those of a continuously refilled token bucket, without a timer and without rounding drift.
 */
import type { Instant } from '@skein/serving';

export interface TokenBucket {
  readonly intervalMs: number;
  /** How far ahead that time may be: the bucket's size less one token, as time. */
  readonly toleranceMs: number;
  fullAt: Instant;
}

/** @param ratePerSecond also the size of the bucket, which is at least one request. */
export function tokenBucket(ratePerSecond: number): TokenBucket {
  const intervalMs = 1000 / ratePerSecond;
  const size = Math.max(1, ratePerSecond);
  return { intervalMs, toleranceMs: (size - 1) * intervalMs, fullAt: -Infinity };
}

/** Takes a token. @returns 0, or the milliseconds until one is available; then none was taken. */
export function take(bucket: TokenBucket, now: Instant): number {
  const fullAt = Math.max(bucket.fullAt, now);
  const waitMs = fullAt - now - bucket.toleranceMs;
  // A millionth of a millisecond absorbs the rounding of sums of intervals.
  if (waitMs > 1e-6) return waitMs;
  bucket.fullAt = fullAt + bucket.intervalMs;
  return 0;
}
