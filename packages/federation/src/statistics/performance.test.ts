import { seededRandom } from '@skein/onnx';
import { expect, it } from 'vitest';
import { calibrationOf } from './calibration.ts';
import { chiSquareTail, driftOf, quantilesOf } from './columns.ts';
import { decisionsAt, rankingOf } from './performance.ts';
import { tempered } from './score-counts.ts';
import { countedBy, drawnRows, evenBorders, normal } from './testing/rows.ts';

/** scikit-learn's `roc_auc_score`, by all pairs. */
function aucOf(rows: ReturnType<typeof drawnRows>): number {
  const [ill, well] = [1, 0].map((label) => rows.filter((row) => row.label === label));
  let won = 0;
  for (const a of ill!) {
    for (const b of well!) won += a.logit > b.logit ? 1 : a.logit === b.logit ? 0.5 : 0;
  }
  return won / (ill!.length * well!.length);
}

it('bounds the area under the curve by what bins hide, and narrows with them', () => {
  const rows = drawnRows(400, 7);
  const auc = aucOf(rows);
  const widths = [10, 20, 80].map((bins) => {
    const found = rankingOf(countedBy(rows, evenBorders(bins)))!;
    expect(found.low).toBeLessThanOrEqual(auc);
    expect(found.high).toBeGreaterThanOrEqual(auc);
    return found.high - found.low;
  });
  expect(widths[2]).toBeLessThan(widths[0]! / 4);
  expect(Math.abs(rankingOf(countedBy(rows, evenBorders(80)))!.auc - auc)).toBeLessThan(0.003);
});

it.each([-0.8, 0, 1.6])(
  'gives the decisions at the border %f, as a loop over rows does',
  (border) => {
    const rows = drawnRows(500, 8);
    const found = decisionsAt(countedBy(rows, evenBorders(20)), border + 0.1)!;
    const of = (label: number, isAbove: boolean) =>
      rows.filter((row) => row.label === label && row.logit >= border === isAbove).length;
    expect(found.threshold).toBeCloseTo(border, 12);
    expect(found.sensitivity).toBeCloseTo(of(1, true) / (of(1, true) + of(1, false)), 12);
    expect(found.specificity).toBeCloseTo(of(0, false) / (of(0, true) + of(0, false)), 12);
    expect(found.ppv).toBeCloseTo(of(1, true) / (of(1, true) + of(0, true)), 12);
  },
);

it.each([0, 2])('states the deviation that its numbers have, with noise of %f', (deviation) => {
  const found = Array.from({ length: 300 }, (_, seed) => {
    const scores = countedBy(drawnRows(200, seed), evenBorders(20), { deviation, seed });
    return {
      ...decisionsAt(scores, 0.8)!,
      ...rankingOf(scores)!,
      calibration: calibrationOf(scores)!,
    };
  });
  const ratio = (
    value: (of: (typeof found)[number]) => number,
    stated: (of: (typeof found)[number]) => number,
  ): number => {
    const mean = found.reduce((sum, each) => sum + value(each), 0) / found.length;
    const square = found.reduce((sum, each) => sum + (value(each) - mean) ** 2, 0) / found.length;
    return found.reduce((sum, each) => sum + stated(each), 0) / found.length / Math.sqrt(square);
  };
  const ratios = [
    ratio(
      ({ auc }) => auc,
      (each) => each.deviation,
    ),
    ratio(
      ({ sensitivity }) => sensitivity,
      ({ deviations }) => deviations.sensitivity,
    ),
    ratio(
      ({ specificity }) => specificity,
      ({ deviations }) => deviations.specificity,
    ),
    ratio(
      ({ ppv }) => ppv!,
      ({ deviations }) => deviations.ppv!,
    ),
    ratio(
      ({ calibration }) => calibration.brier,
      ({ calibration }) => calibration.deviation,
    ),
  ];
  for (const each of ratios) expect([each > 0.8, each < 1.25, each]).toEqual([true, true, each]);
});

it('gives nothing where a class has fewer than ten rows', () => {
  const rows = drawnRows(200, 9).filter(({ label }) => label === 0);
  const nine = drawnRows(200, 10)
    .filter(({ label }) => label === 1)
    .slice(0, 9);
  const scores = countedBy([...rows, ...nine], evenBorders(20));
  expect([rankingOf(scores), decisionsAt(scores)]).toEqual([undefined, undefined]);
});

it('gives reliability, its error and Brier as a loop over rows does, to the width of bins', () => {
  const rows = drawnRows(4000, 11, 1.5);
  const scores = countedBy(rows, evenBorders(160));
  const found = calibrationOf(scores, 1)!;
  const brier =
    rows.reduce((sum, { logit, label }) => sum + (1 / (1 + Math.exp(-logit)) - label) ** 2, 0) /
    rows.length;
  expect(found.brier).toBeCloseTo(brier, 3);
  expect(found.rows).toBe(rows.length);
  // scikit-learn's `calibration_curve` over the same bins.
  for (const { low, high, rows: count, observed } of found.bins.slice(1, -1)) {
    const own = rows.filter(({ logit }) => {
      const p = 1 / (1 + Math.exp(-logit));
      return p >= low && p < high;
    });
    expect(own.length).toBe(count);
    expect(observed).toBeCloseTo(own.filter(({ label }) => label === 1).length / own.length, 12);
  }
  // The right temperature takes most of the error away.
  const coarse = countedBy(rows, evenBorders(20));
  const before = calibrationOf(coarse)!.error;
  expect(calibrationOf(tempered(coarse, 1.5))!.error).toBeLessThan(before / 2);
});

it('leaves out bins of fewer than ten rows', () => {
  const scores = countedBy(drawnRows(100, 12), evenBorders(20));
  const found = calibrationOf(scores)!;
  expect(found.bins.every(({ rows }) => rows >= 10)).toBe(true);
  expect(found.bins.length).toBeLessThan(calibrationOf(scores, 1)!.bins.length);
});

it('gives the bin of each quantile of a column', () => {
  const random = seededRandom(13);
  const values = Array.from({ length: 1001 }, () => 50 + 12 * normal(random));
  const axis = {
    kind: 'column',
    name: 'age',
    borders: [0, 20, 30, 40, 50, 60, 70, 80, 120],
  } as const;
  const counts = axis.borders
    .slice(1)
    .map((high, i) => values.filter((each) => each >= axis.borders[i]! && each < high).length);
  const sorted = values.toSorted((a, b) => a - b);
  // A cell of rows without a value follows, which no quantile counts.
  for (const { level, low, high } of quantilesOf(axis, {
    counts: [...counts, 900],
    deviation: 0,
  })) {
    const exact = sorted[Math.ceil(level * values.length) - 1]!;
    expect(low <= exact && exact < high).toBe(true);
  }
  expect(quantilesOf(axis, { counts: [1, 2, 3, 0, 0, 0, 0, 0, 900], deviation: 0 })).toEqual([]);
});

const drawn = (rows: number, shares: readonly number[], seed: number, deviation: number) => {
  const random = seededRandom(seed);
  const counts = shares.map(() => 0);
  for (let i = 0; i < rows; i++) {
    let at = random.next();
    counts[shares.findIndex((share, place) => (at -= share) < 0 || place === shares.length - 1)]!++;
  }
  return { counts: counts.map((each) => each + deviation * normal(random)), deviation };
};

it.each([0, 2])('finds drift, and rarely where there is none, with noise of %f', (deviation) => {
  const shares = [0.3, 0.25, 0.2, 0.15, 0.1];
  const others = [0.1, 0.15, 0.2, 0.25, 0.3];
  let [alarms, found] = [0, 0];
  for (let seed = 0; seed < 400; seed++) {
    const all = drawn(600, shares, 2 * seed + 1, deviation);
    if (driftOf(drawn(150, shares, 2 * seed + 2, deviation), all)!.p < 0.05) alarms += 1;
    if (driftOf(drawn(150, others, 2 * seed + 2, deviation), all)!.p < 0.05) found += 1;
  }
  expect(alarms / 400).toBeLessThan(0.09);
  expect(alarms / 400).toBeGreaterThan(0.01);
  expect(found / 400).toBeGreaterThan(0.9);
});

it('has the distance of the shares', () => {
  const one = { counts: [60, 40, 0], deviation: 0 };
  expect(driftOf(one, { counts: [0, 40, 60], deviation: 0 })!.distance).toBeCloseTo(0.6, 12);
  expect(driftOf(one, { counts: [3, 4, 2], deviation: 0 })).toBeUndefined();
});

// scipy.stats.chi2.sf
it.each([
  [3.841459, 1, 0.05],
  [9.487729, 4, 0.05],
  [23.684791, 14, 0.05],
  [16.918978, 9, 0.05],
  [4.351459, 5, 0.5],
])('has the tail of χ² at %f with %i degrees of freedom', (x, freedom, p) => {
  expect(Math.abs(chiSquareTail(x, freedom) - p)).toBeLessThan(0.006);
});
