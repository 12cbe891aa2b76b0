/** Histograms of latencies: buckets grow by 5 %, so quantiles are exact to 5 %. */

const SMALLEST_MS = 0.05;
const GROWTH = Math.log(1.05);
/** Up to 0.05 ms × 1.05^335 ≈ 10 minutes; slower requests count in the last bucket. */
export const BUCKETS = 336;

export function bucketOf(latencyMs: number): number {
  if (!(latencyMs > SMALLEST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(latencyMs / SMALLEST_MS) / GROWTH));
}

/**
 * The upper bound of the bucket with the quantile: never too low.
 *
 * @param count sum of the histogram. @returns milliseconds; null if it is empty.
 */
export function quantile(histogram: Uint32Array, count: number, share: number): number | null {
  if (count === 0) return null;
  let rank = Math.ceil(count * share);
  for (let i = 0; i < BUCKETS; i++) {
    rank -= histogram[i]!;
    if (rank <= 0) return SMALLEST_MS * Math.exp(i * GROWTH);
  }
  return SMALLEST_MS * Math.exp((BUCKETS - 1) * GROWTH);
}

/** The filled buckets of a histogram, each followed by its count: small, and digests add up. */
export type LatencyDigest = readonly number[];

export function digestOf(histogram: Uint32Array): LatencyDigest {
  const digest: number[] = [];
  for (let i = 0; i < BUCKETS; i++) if (histogram[i]! > 0) digest.push(i, histogram[i]!);
  return digest;
}

/** The quantile over all digests. @returns milliseconds; null if they are empty. */
export function digestQuantile(digests: readonly LatencyDigest[], share: number): number | null {
  const merged = new Uint32Array(BUCKETS);
  let count = 0;
  for (const digest of digests) {
    for (let i = 0; i + 1 < digest.length; i += 2) {
      merged[digest[i]!]! += digest[i + 1]!;
      count += digest[i + 1]!;
    }
  }
  return quantile(merged, count, share);
}
