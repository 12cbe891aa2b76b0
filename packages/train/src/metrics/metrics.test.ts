import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracy, auc, confusionMatrix, f1, macroF1 } from './classification.ts';
import { calibration } from './calibration.ts';

interface Fixture {
  readonly classified: readonly {
    readonly classes: number;
    readonly labels: number[];
    readonly predicted: number[];
    readonly confusion: number[][];
    readonly accuracy: number;
    readonly f1: number[];
    readonly macroF1: number;
  }[];
  readonly scored: readonly {
    readonly labels: number[];
    readonly scores: number[];
    readonly auc: number;
    readonly brier: number;
    readonly frequency: number[];
    readonly confidence: number[];
  }[];
}

const fixture = JSON.parse(
  readFileSync(new URL('fixtures/sklearn.json', import.meta.url), 'utf8'),
) as Fixture;

describe('scikit-learn’s numbers', () => {
  it.each(fixture.classified)('for $classes classes', (wanted) => {
    const matrix = confusionMatrix(wanted.labels, wanted.predicted, wanted.classes);
    expect(matrix).toEqual(wanted.confusion);
    expect(accuracy(matrix)).toBeCloseTo(wanted.accuracy, 12);
    wanted.f1.forEach((each, label) => expect(f1(matrix, label)).toBeCloseTo(each, 12));
    expect(macroF1(matrix)).toBeCloseTo(wanted.macroF1, 12);
  });

  it.each(fixture.scored)('for scores', ({ labels, scores, ...wanted }) => {
    expect(auc(labels, scores)).toBeCloseTo(wanted.auc, 12);
    const { bins, brier } = calibration(labels, scores, 8);
    expect(brier).toBeCloseTo(wanted.brier, 12);
    expect(bins.map((bin) => bin.frequency)).toEqual(
      wanted.frequency.map((each) => expect.closeTo(each, 12)),
    );
    expect(bins.map((bin) => bin.confidence)).toEqual(
      wanted.confidence.map((each) => expect.closeTo(each, 12)),
    );
  });
});

it('the AUC is the share of pairs in order, ties counting half', () => {
  const row = fc.record({
    label: fc.integer({ min: 0, max: 1 }),
    score: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 2, maxLength: 30 }), (rows) => {
      let won = 0;
      let pairs = 0;
      for (const one of rows.filter(({ label }) => label === 1)) {
        for (const zero of rows.filter(({ label }) => label === 0)) {
          pairs++;
          if (one.score > zero.score) won++;
          else if (one.score === zero.score) won += 0.5;
        }
      }
      const area = auc(
        rows.map(({ label }) => label),
        rows.map(({ score }) => score),
      );
      if (pairs === 0) expect(area).toBeNaN();
      else expect(area).toBeCloseTo(won / pairs, 12);
    }),
    { seed: 4 },
  );
});

it('the calibration error weighs the bins by their rows', () => {
  const { bins, error } = calibration([1, 1, 0, 0, 1], [0.95, 1, 0.05, 0.15, 0.15], 10);
  expect(bins.map(({ count }) => count)).toEqual([1, 2, 2]);
  expect(error).toBeCloseTo((1 * 0.05 + 2 * Math.abs(0.5 - 0.15) + 2 * (1 - 0.975)) / 5, 12);
});

it('names the row whose class is out of range', () => {
  expect(() => confusionMatrix([0, 1, 2], [0, 1, 1], 2)).toThrow(
    'Row 2 has the label 2, but there are 2 classes.',
  );
  expect(() => confusionMatrix([0, 1], [0, -1], 2)).toThrow('Row 1 has the prediction -1');
  expect(() => confusionMatrix([], [], 2)).toThrow('no rows');
});
