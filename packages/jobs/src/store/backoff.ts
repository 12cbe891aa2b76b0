/**
 * Exponential backoff with full jitter: a uniformly random wait below a bound that doubles.
 * Of the variants it spreads a crowd of retries best for the work it costs (Brooker, "Exponential
 * Backoff and Jitter", AWS Architecture Blog, 2015).
 */
import type { RetryPolicy } from '../contract.ts';

/**
 * @param failures counted attempts so far, at least 1.
 * @param random uniform in [0, 1).
 * @returns milliseconds, whole.
 */
export function backoff(policy: RetryPolicy, failures: number, random: number): number {
  const bound = Math.min(policy.maxBackoffMs, policy.backoffMs * 2 ** Math.min(failures - 1, 52));
  return Math.floor(random * bound);
}
