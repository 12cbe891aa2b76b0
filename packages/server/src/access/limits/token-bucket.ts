/**
 * A rate limit in one number: the time at which the bucket is full again.
 *
 * The Generic Cell Rate Algorithm (ITU-T I.371, annex A): every request moves that time one
 * interval further, and is rejected if it is then more than a whole bucket ahead. The decisions
 * equal a continuously refilled token bucket's, without a timer and without rounding drift.
 */
import type { Instant } from '@skein/serving';

export interface TokenBucket {
  intervalMs: number;
  /** How far ahead that time may be: the bucket's size less one token, as time. */
  toleranceMs: number;
  fullAt: Instant;
  /** Requests so far, admitted or not. */
  asked: number;
}

/** @param ratePerSecond also the size of the bucket, which is at least one request. */
export function tokenBucket(ratePerSecond: number): TokenBucket {
  return { ...timesOf(ratePerSecond), fullAt: -Infinity, asked: 0 };
}

/** Takes a token. @returns 0, or the milliseconds until one is available; then none was taken. */
export function take(bucket: TokenBucket, now: Instant): number {
  bucket.asked += 1;
  const fullAt = Math.max(bucket.fullAt, now);
  const waitMs = fullAt - now - bucket.toleranceMs;
  // A millionth of a millisecond absorbs the rounding of sums of intervals.
  if (waitMs > 1e-6) return waitMs;
  bucket.fullAt = fullAt + bucket.intervalMs;
  return 0;
}

/**
 * Changes the rate, and the size with it. Tokens are never made by that: a larger bucket fills at
 * the new rate, and a smaller one keeps what fits. So the shares of a limit may move between nodes
 * as often as they like, and all of them together admit no more than the limit.
 */
export function resize(bucket: TokenBucket, ratePerSecond: number, now: Instant): void {
  const { intervalMs, toleranceMs, fullAt } = bucket;
  const left = (toleranceMs + intervalMs - Math.max(0, fullAt - now)) / intervalMs;
  Object.assign(bucket, timesOf(ratePerSecond));
  const size = bucket.toleranceMs / bucket.intervalMs + 1;
  bucket.fullAt = now + (size - Math.min(size, left)) * bucket.intervalMs;
}

/** A share of nothing: the next request waits for years, or for the next change. */
const LEAST_RATE = 1e-9;

function timesOf(ratePerSecond: number): Pick<TokenBucket, 'intervalMs' | 'toleranceMs'> {
  const rate = Math.max(LEAST_RATE, ratePerSecond);
  const intervalMs = 1000 / rate;
  return { intervalMs, toleranceMs: (Math.max(1, rate) - 1) * intervalMs };
}
