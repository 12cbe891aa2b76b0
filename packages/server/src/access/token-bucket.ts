/**
 * A rate limit as one number: the instant at which the bucket is full again.
 *
 * The Generic Cell Rate Algorithm (ITU-T I.371, annex A): every request moves that instant one
 * interval further, and is refused when it then lies more than a whole bucket ahead. It decides as
 * a token bucket that is refilled continuously does, without a timer and without rounding drift.
 */
import type { Instant } from '@skein/serving';

export interface TokenBucket {
  readonly intervalMs: number;
  /** How far ahead the full instant may lie: the bucket's size less one token, as time. */
  readonly toleranceMs: number;
  fullAt: Instant;
}

/** @param ratePerSecond also the size of the bucket, but at least one request. */
export function tokenBucket(ratePerSecond: number): TokenBucket {
  const intervalMs = 1000 / ratePerSecond;
  const size = Math.max(1, ratePerSecond);
  return { intervalMs, toleranceMs: (size - 1) * intervalMs, fullAt: -Infinity };
}

/** Takes a token. @returns 0, or the milliseconds until one is there; then nothing was taken. */
export function take(bucket: TokenBucket, now: Instant): number {
  const fullAt = Math.max(bucket.fullAt, now);
  const waitMs = fullAt - now - bucket.toleranceMs;
  // A millionth of a millisecond forgives the rounding of sums of intervals.
  if (waitMs > 1e-6) return waitMs;
  bucket.fullAt = fullAt + bucket.intervalMs;
  return 0;
}
