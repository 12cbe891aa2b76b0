/**
 * A histogram of latencies with a bounded relative error, in the manner of HdrHistogram (Gil Tene):
 * buckets are linear inside each power of two, so that every recorded value is known to within
 * 1/512 (0.2 %) from a microsecond up to an hour, in 90 KiB, with one addition per recorded value.
 * Percentiles of merged histograms are exact to the same bound; averages of percentiles are not.
 */
const SUB_BITS = 9;
const SUB_BUCKETS = 2 ** SUB_BITS;
/** 2^32 µs is 71 minutes. Longer ones are counted in the last bucket. */
const MAX_EXPONENT = 32;
const BUCKETS = SUB_BUCKETS * (MAX_EXPONENT - SUB_BITS + 1);

export interface HistogramData {
  readonly counts: Uint32Array;
  readonly count: number;
  readonly sumMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

export class Histogram {
  #counts = new Uint32Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #minMs = Number.POSITIVE_INFINITY;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  /** Milliseconds; 0 when empty. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  get minMs(): number {
    return this.#count === 0 ? 0 : this.#minMs;
  }

  /** @param ms a latency in milliseconds; negative ones count as zero. */
  record(ms: number): void {
    const value = ms > 0 ? ms : 0;
    const bucket = bucketOf(value * 1000);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sumMs += value;
    if (value < this.#minMs) this.#minMs = value;
    if (value > this.#maxMs) this.#maxMs = value;
  }

  /**
   * The smallest recorded latency, in milliseconds, that at least this share of all values do not
   * exceed; NaN when empty.
   * @param share from 0 to 1, such as 0.99.
   */
  percentile(share: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(share * this.#count - 1e-9));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) {
        return Math.min(this.#maxMs, Math.max(this.#minMs, middleOf(bucket) / 1000));
      }
    }
    return this.#maxMs;
  }

  merge(other: HistogramData): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + (other.counts[bucket] ?? 0);
    }
    this.#count += other.count;
    this.#sumMs += other.sumMs;
    this.#minMs = Math.min(this.#minMs, other.minMs);
    this.#maxMs = Math.max(this.#maxMs, other.maxMs);
  }

  /** For `postMessage` and `merge`. */
  data(): HistogramData {
    return {
      counts: this.#counts,
      count: this.#count,
      sumMs: this.#sumMs,
      minMs: this.#minMs,
      maxMs: this.#maxMs,
    };
  }
}

function bucketOf(microseconds: number): number {
  const whole = Math.min(2 ** MAX_EXPONENT - 1, Math.floor(microseconds));
  if (whole < SUB_BUCKETS) return whole;
  // Values in [2^e, 2^(e+1)) share a group of SUB_BUCKETS buckets of equal width.
  const exponent = 31 - Math.clz32(whole);
  const group = exponent - SUB_BITS + 1;
  const offset = Math.floor(whole / 2 ** (exponent - SUB_BITS)) - SUB_BUCKETS;
  return group * SUB_BUCKETS + offset;
}

/** Microseconds in the middle of a bucket. */
function middleOf(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket + 0.5;
  const group = Math.floor(bucket / SUB_BUCKETS);
  const width = 2 ** (group - 1);
  return (SUB_BUCKETS + (bucket % SUB_BUCKETS)) * width + width / 2;
}
