import { seededRandom } from '@skein/onnx';
import { describe, expect, test } from 'vitest';
import type { LatencyCurve } from './latency-curve.ts';
import { LatencyModel } from './latency-model.ts';

/** A curve that was warmed with 1, 2, 4, … 32 rows. */
function warmed(cost: (rows: number) => number): LatencyCurve {
  const curve = new LatencyModel().curve([100]);
  for (let rows = 1; rows <= 32; rows *= 2) {
    for (let i = 0; i < 3; i++) curve.seed(rows, cost(rows));
  }
  return curve;
}

describe('shape', () => {
  test('is exact for a straight line at every row count, and beyond the last one seen', () => {
    const curve = warmed((rows) => 4 + 2 * rows);
    for (let rows = 1; rows <= 40; rows++) expect(curve.p50(rows)).toBeCloseTo(4 + 2 * rows, 9);
  });

  test('predicts 0 without any run', () => {
    const curve = new LatencyModel().curve([100]);
    expect(curve.p50(8)).toBe(0);
    expect(curve.p99(8)).toBe(0);
  });

  test('never predicts that fewer rows take longer', () => {
    const random = seededRandom(5);
    const curve = new LatencyModel().curve([1]);
    for (let i = 0; i < 2_000; i++) {
      const rows = 1 + Math.floor(random.next() * 64);
      curve.record(rows, (1 + rows) * (0.5 + random.next()), i);
    }
    for (let rows = 2; rows <= 64; rows++) {
      expect(curve.p50(rows)).toBeGreaterThanOrEqual(curve.p50(rows - 1));
    }
  });

  test('a new class of row size starts from the nearest one', () => {
    const model = new LatencyModel();
    for (let i = 0; i < 5; i++) model.curve([1_024]).seed(1, 10);
    for (let i = 0; i < 5; i++) model.curve([1_000_000]).seed(1, 5_000);
    expect(model.curve([4_096]).p50(1)).toBeCloseTo(20, 6);
    expect(model.curve([256]).p50(1)).toBeCloseTo(5, 6);
  });
});

describe('a size that has not run', () => {
  const model = new LatencyModel();
  for (let i = 0; i < 5; i++) model.curve([100, 10]).seed(1, 8);
  const p50 = (...elements: number[]): number => model.curve(elements).p50(1);

  test('costs as much as the square root of its elements makes it, by the input that differs most', () => {
    expect(p50(400, 10)).toBeCloseTo(16, 6);
    expect(p50(25, 10)).toBeCloseTo(4, 6);
    expect(p50(100 * 2 ** 14, 20)).toBeCloseTo(8 * 2 ** 7, 6);
    expect(p50(100, 10 * 2 ** 14)).toBeCloseTo(8 * 2 ** 7, 6);
  });

  test('is marked as extrapolated, with what smaller sizes cost as its optimistic bound', () => {
    const larger = model.curve([1e6, 10]);
    expect(larger.isExtrapolated(1)).toBe(true);
    expect(larger.leastMs(1, 0)).toBe(8);
    const other = model.curve([1e6, 1]);
    expect(other.isExtrapolated(1)).toBe(true);
    expect(other.leastMs(1, 0)).toBe(0);
    const known = model.curve([100, 10]);
    expect(known.isExtrapolated(1)).toBe(false);
    expect(known.isExtrapolated(1_000_000)).toBe(true);
    expect(known.leastMs(1_000_000, 0)).toBe(8);
    expect(known.p50(1_000_000)).toBeCloseTo(8 * Math.sqrt(2e6), 6);
    expect(model.evidence).toEqual({ runs: 5, sizes: 1 });
  });

  test('stays between what smaller and larger sizes cost, and its runs correct only itself', () => {
    const between = new LatencyModel();
    between.curve([10]).seed(1, 5);
    between.curve([10_000]).seed(1, 6);
    const middle = between.curve([100]);
    expect(middle.p50(1)).toBe(6);
    middle.record(1, 60, 0);
    middle.record(1, 5.5, 1);
    middle.record(1, 5.5, 2);
    expect(middle.p50(1)).toBeCloseTo(5.5, 6);
    expect(between.curve([10]).p50(1)).toBe(5);
    expect(between.evidence).toEqual({ runs: 5, sizes: 3 });
  });

  test('takes no memory beyond a bound, and does not displace those that have run', () => {
    const bounded = new LatencyModel();
    for (let i = 0; i < 5; i++) bounded.curve([7]).seed(1, 8);
    for (let i = 0; i < 1_000; i++) bounded.curve([2 ** (i % 40), 2 ** Math.floor(i / 40)]);
    expect(bounded.curve([7]).runs).toBe(5);
    expect(bounded.buckets).toBeLessThanOrEqual(256);
  });

  test('does not displace one that runs, although it is not asked for', () => {
    const bounded = new LatencyModel();
    const hot = bounded.curve([7]);
    for (let i = 0; i < 1_000; i++) {
      hot.record(1, 8, i);
      bounded.curve([2 ** (i % 40), 2 ** Math.floor(i / 40)]).seed(1, 8);
    }
    expect(bounded.curve([7])).toBe(hot);
    expect(bounded.buckets).toBeLessThanOrEqual(256);
    expect(bounded.evidence).toEqual({ runs: 2_000, sizes: bounded.buckets });
  });
});

describe('efficient rows', () => {
  test('are many when the fixed cost dominates, and one when rows cost the same alone', () => {
    expect(warmed((rows) => 10 + 0.01 * rows).efficientRows(32, 1_000)).toBe(32);
    expect(warmed((rows) => 10 * rows).efficientRows(32, 1_000)).toBe(1);
  });

  test('stay within the budget at p99, and within the bound', () => {
    const curve = warmed((rows) => 10 + rows);
    for (const budget of [12, 15, 25, 40]) {
      const rows = curve.efficientRows(32, budget);
      expect(curve.p99(rows)).toBeLessThanOrEqual(budget + 2);
    }
    expect(curve.efficientRows(32, 1)).toBe(1);
    expect(curve.efficientRows(5, 1_000)).toBe(5);
  });

  test('reach 97 % of the best throughput that any allowed size has', () => {
    const cost = (rows: number): number => (rows <= 16 ? 8 + rows : 24 + 3 * (rows - 16));
    const rows = warmed(cost).efficientRows(32, 1_000);
    expect(rows / cost(rows)).toBeGreaterThanOrEqual((0.97 * 16) / cost(16));
    expect(rows).toBeLessThanOrEqual(16);
  });

  test('of a few rows do not count on larger batches', () => {
    const curve = warmed((rows) => (rows <= 8 ? 12 * rows : rows < 32 ? 20 * rows : 10 * rows));
    expect(curve.efficientRows(32, 10_000)).toBe(32);
    expect(curve.batchRowsOf(15)).toBeLessThanOrEqual(8);
    expect(warmed((rows) => 10 + rows).batchRowsOf(15)).toBe(15);
  });
});

describe('pace', () => {
  test('p99 covers the variation that was seen', () => {
    const random = seededRandom(1);
    const curve = warmed(() => 10);
    const took = Array.from({ length: 1_000 }, () => 10 * (1 + 0.4 * random.next()));
    took.forEach((ms, i) => curve.record(4, ms, i));
    const recent = took.slice(-128);
    const below = recent.filter((ms) => ms <= curve.p99(4)).length;
    expect(below / recent.length).toBeGreaterThan(0.95);
    expect(curve.p99(4)).toBeLessThan(15);
  });

  test('a few slow runs of one size correct the estimates of all sizes, and a few fast ones undo that', () => {
    const curve = warmed((rows) => 4 + 2 * rows);
    for (let i = 0; i < 4; i++) curve.record(1, 6 * 5, i);
    expect(curve.p50(32)).toBeCloseTo(68 * 5, 0);
    for (let i = 0; i < 4; i++) curve.record(2, 8, 4 + i);
    expect(curve.p50(32)).toBeCloseTo(68, 0);
  });

  test('sizes keep their ratios while only some of them run, however much those vary', () => {
    const random = seededRandom(3);
    const curve = warmed((rows) => 4 + 2 * rows);
    for (let i = 0; i < 200_000; i++) {
      const rows = i % 3 === 0 ? 2 : 4;
      curve.record(rows, (4 + 2 * rows) * Math.exp(random.next() - 0.5), i);
    }
    for (const rows of [1, 2, 4, 16, 32]) {
      expect(curve.p50(rows) / (4 + 2 * rows)).toBeGreaterThan(0.8);
      expect(curve.p50(rows) / (4 + 2 * rows)).toBeLessThan(1.25);
    }
  });

  // One row runs after a pause, with cold caches; several run under load.
  test.each([2, 3])(
    'a run of 1 row that takes longer than one of %i moves no other size',
    (several) => {
      const model = new LatencyModel();
      const cost = (rows: number): number => (rows === 1 ? 6 : 4 + rows / 2);
      const curve = model.curve([100]);
      for (let rows = 1; rows <= 32; rows *= 2) curve.seed(rows, cost(rows));
      model.curve([10]).seed(1, 3);
      for (let i = 0; i < 20_000; i++) {
        const rows = i % 3 === 0 ? several : 1;
        curve.record(rows, cost(rows), i);
      }
      expect(curve.p50(32)).toBeCloseTo(20, 0);
      expect(curve.p50(several)).toBeCloseTo(cost(several), 0);
      expect(model.curve([10]).p50(1)).toBeCloseTo(3, 0);
    },
  );

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'many noisy runs of many sizes leave one that does not run where it was, mix %i',
    (seed) => {
      const random = seededRandom(seed);
      const model = new LatencyModel();
      const lengths = [1, 100, 3_000, 20_000].slice(0, 1 + (seed % 4));
      // A different cost for each row count, so more rows may take less time.
      const own = lengths.map(() => Array.from({ length: 33 }, () => 0.6 + 0.8 * random.next()));
      const cost = (size: number, rows: number): number =>
        (1 + lengths[size]! ** 0.3) * (1 + 0.1 * rows) * own[size]![rows]!;
      for (let rows = 1; rows <= 32; rows *= 2) model.curve([1]).seed(rows, cost(0, rows));
      const resting = model.curve([1e6]);
      resting.seed(1, 100);
      const meanRows = 1 + 8 * random.next();
      const spread = 1.2 * random.next();
      const stalls = Math.max(0, 0.1 * (2 * random.next() - 1));
      for (let i = 0; i < 60_000; i++) {
        const size = Math.floor(lengths.length * random.next() ** 2);
        const rows = Math.min(32, 1 + Math.floor(-meanRows * Math.log(1 - random.next())));
        const noise = Math.exp(spread * (random.next() - 0.5)) * (random.next() < stalls ? 8 : 1);
        model.curve([lengths[size]!]).record(rows, cost(size, rows) * noise, i);
      }
      expect(Math.abs(Math.log2(resting.p50(1) / 100))).toBeLessThan(2);
    },
  );

  test('a size that was warmed under a passing load is corrected by its runs between other sizes', () => {
    const curve = warmed((rows) => (rows === 16 ? 5 : 1) * (4 + 2 * rows));
    for (let i = 0; i < 600; i++) {
      const rows = i % 10 === 0 ? 16 : 4;
      curve.record(rows, 4 + 2 * rows, i);
    }
    expect(curve.p50(16) / 36).toBeLessThan(1.15);
    expect(curve.p50(4) / 12).toBeCloseTo(1, 1);
  });

  test('a single stall does not move the median', () => {
    const curve = warmed(() => 10);
    for (let i = 0; i < 50; i++) curve.record(1, i === 25 ? 1_000 : 10, i);
    expect(curve.p50(1)).toBeCloseTo(10, 6);
    expect(curve.p99(1)).toBeLessThanOrEqual(12);
  });

  test('a tail beyond what admission can plan for is capped', () => {
    const curve = warmed(() => 10);
    for (let i = 0; i < 200; i++) curve.record(1, i % 25 === 0 ? 500 : 10, i);
    expect(curve.p99(1)).toBe(50);
  });

  test('a tail that is typical of the model is planned for, up to a dozen times the median', () => {
    for (const [factor, planned] of [
      [10, 100],
      [50, 120],
    ] as const) {
      const curve = warmed(() => 10);
      for (let i = 0; i < 100; i++) curve.record(1, i % 10 === 0 ? 10 * factor : 10, i);
      expect(curve.p50(1)).toBeCloseTo(10, 6);
      expect(curve.p99(1)).toBeCloseTo(planned, 6);
    }
  });

  test('the optimistic bound sinks while an idle node refuses, and one run then corrects the estimates', () => {
    const curve = warmed(() => 1_000);
    expect(curve.leastMs(1, 60_000)).toBe(1_000);
    curve.refuse(60_000);
    curve.refuse(60_400);
    expect(curve.leastMs(1, 60_500)).toBeCloseTo(500, 6);
    expect(curve.leastMs(1, 65_000)).toBeLessThan(2);
    expect(curve.p50(1)).toBe(1_000);
    curve.record(1, 10, 65_000);
    expect(curve.p50(1)).toBeCloseTo(10, 6);
    expect(curve.p50(32)).toBeCloseTo(10, 6);
    expect(curve.leastMs(1, 90_000)).toBeCloseTo(10, 6);
  });
});
