/**
 * A token bucket that holds one second's worth. A batch larger than the bucket is accepted when the
 * bucket is full, and leaves a debt: otherwise it could never be accepted at all.
 */
export interface Bucket {
  readonly tokens: number;
  /** When `tokens` was true, ms since the epoch. */
  readonly at: number;
}

/** @returns the bucket afterwards, or how long to wait in milliseconds. */
export function takeTokens(
  bucket: Bucket | undefined,
  ratePerSecond: number,
  count: number,
  now: number,
): { bucket: Bucket } | { retryAfterMs: number } {
  const size = Math.max(1, ratePerSecond);
  // A clock that was set back would else keep an empty bucket empty until it has come to that time again.
  const elapsed = bucket ? Math.abs(now - bucket.at) : 0;
  const tokens = bucket ? Math.min(size, bucket.tokens + (elapsed * ratePerSecond) / 1000) : size;
  const needed = Math.min(count, size);
  if (tokens >= needed) return { bucket: { tokens: tokens - count, at: now } };
  return { retryAfterMs: Math.ceil(((needed - tokens) * 1000) / ratePerSecond) };
}
