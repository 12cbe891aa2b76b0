import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

/** The exact value that the histogram approximates. */
function sortedPercentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)] ?? Number.NaN;
}

function filled(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** 1/512 of the value, and half a microsecond where buckets are a microsecond wide. */
function bound(ms: number): number {
  return ms / 512 + 0.0011;
}

const latencies = fc.array(
  fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1000, noNaN: true }),
    fc.double({ min: 0, max: 3_000_000, noNaN: true }),
  ),
  { minLength: 1, maxLength: 400 },
);

describe('Histogram', () => {
  it('gives the percentiles of a sorted array, to its relative bound', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const expected = sortedPercentile(values, share);
        const actual = filled(values).percentile(share);
        expect(Math.abs(actual - expected)).toBeLessThanOrEqual(bound(expected));
      }),
      { numRuns: 500 },
    );
  });

  it('gives the usual percentiles of a million-fold spread', () => {
    const values = Array.from({ length: 5000 }, (_, index) => 0.001 * 1.003 ** index);
    const histogram = filled(values);
    for (const share of [0.5, 0.9, 0.99, 0.999, 1]) {
      const expected = sortedPercentile(values, share);
      expect(Math.abs(histogram.percentile(share) - expected)).toBeLessThanOrEqual(bound(expected));
    }
  });

  it('merges into the same histogram as all values in one', () => {
    fc.assert(
      fc.property(latencies, latencies, (a, b) => {
        const merged = filled(a);
        merged.merge(filled(b).data());
        const whole = filled([...a, ...b]);
        expect(merged.count).toBe(whole.count);
        expect(merged.maxMs).toBe(whole.maxMs);
        expect(merged.minMs).toBe(whole.minMs);
        for (const share of [0.01, 0.5, 0.99, 1]) {
          expect(merged.percentile(share)).toBe(whole.percentile(share));
        }
      }),
    );
  });

  it('never leaves the range of the recorded values', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const histogram = filled(values);
        const actual = histogram.percentile(share);
        expect(actual).toBeGreaterThanOrEqual(Math.min(...values));
        expect(actual).toBeLessThanOrEqual(Math.max(...values));
      }),
    );
  });

  it('keeps the mean, the largest and the count exactly', () => {
    const histogram = filled([1, 2, 3, 10]);
    expect(histogram.meanMs).toBe(4);
    expect(histogram.maxMs).toBe(10);
    expect(histogram.count).toBe(4);
  });

  it('is NaN when empty, and counts a clock that went backwards as zero', () => {
    expect(new Histogram().percentile(0.5)).toBeNaN();
    expect(filled([-5]).percentile(0.5)).toBe(0);
  });

  it('counts values beyond its range in the last bucket', () => {
    expect(filled([1, 1e9]).percentile(1)).toBeGreaterThan(4_000_000);
  });
});
