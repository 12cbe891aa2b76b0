import { expect, it } from 'vitest';
import { conformalQuantile, conformalSet } from './conformal.ts';
import { countedBy, drawnRows, evenBorders, type ScoredRow } from './testing/rows.ts';

const nonconformity = ({ logit, label }: ScoredRow): number => (label === 0 ? logit : -logit);

/** The ⌈(n + 1)(1 − α)⌉-th smallest score of the rows, as MAPIE's `lac` takes it. */
function exact(rows: readonly ScoredRow[], coverage: number): number {
  const sorted = rows.map(nonconformity).toSorted((a, b) => a - b);
  return sorted[Math.ceil((rows.length + 1) * coverage) - 1] ?? Infinity;
}

it.each([0.5, 0.8, 0.9, 0.95])(
  'takes the upper border of the bin of the exact quantile, %f',
  (coverage) => {
    for (let seed = 0; seed < 20; seed++) {
      const rows = drawnRows(147, seed);
      const borders = evenBorders(20);
      const found = conformalQuantile(countedBy(rows, borders), { coverage })!;
      const quantile = exact(rows, coverage);
      expect(found.logit).toBe(borders.find((border) => border > quantile));
      expect(found.quantile).toBeCloseTo(1 / (1 + Math.exp(-found.logit)), 12);
    }
  },
);

function covered(rows: number, deviation: number, margin: number): { mean: number; size: number } {
  let [mean, size] = [0, 0];
  const splits = 300;
  for (let seed = 0; seed < splits; seed++) {
    const calibration = drawnRows(rows, 1000 + seed);
    const scores = countedBy(calibration, evenBorders(40), { deviation, seed });
    const found = conformalQuantile(scores, { margin });
    const test = drawnRows(250, 5000 + seed);
    const sets = test.map((row) => ({ set: conformalSet(row.logit, found), label: row.label }));
    mean += sets.filter(({ set, label }) => set.includes(label)).length / test.length / splits;
    size += sets.reduce((sum, { set }) => sum + set.length, 0) / test.length / splits;
  }
  return { mean, size };
}

it('covers nine rows in ten, over 300 splits, also from counts with noise', () => {
  const plain = covered(147, 0, 1);
  expect(plain.mean).toBeGreaterThan(0.9);
  expect(plain.mean).toBeLessThan(0.94);
  const noisy = covered(147, 1, 1);
  expect(noisy.mean).toBeGreaterThan(0.9);
  // The margin costs size, and without it the noise costs coverage.
  expect(noisy.size).toBeGreaterThan(plain.size);
  expect(covered(147, 3, 0).mean).toBeLessThan(covered(147, 3, 1).mean);
});

it('gives no quantile where rows are too few, and then the set holds both classes', () => {
  const few = conformalQuantile(countedBy(drawnRows(8, 1), evenBorders(20)));
  expect(few).toBeUndefined();
  expect(conformalSet(3, few)).toEqual([0, 1]);
  expect(conformalSet(NaN, { logit: 0 })).toEqual([0, 1]);
  expect(conformalSet(3, { logit: 1 })).toEqual([1]);
  expect(conformalSet(-0.5, { logit: -1 })).toEqual([]);
});

it('refuses bins that are not symmetric', () => {
  const scores = countedBy(drawnRows(100, 1), [-8, -1, 0, 2, 8]);
  expect(() => conformalQuantile(scores)).toThrow(
    expect.objectContaining({ code: 'PLAN_INVALID' }),
  );
});
