import { expect, it } from 'vitest';
import { temperatureOf } from './temperature.ts';
import { countedBy, drawnRows, evenBorders, type ScoredRow } from './testing/rows.ts';

/** The temperature with the least loss of the rows themselves, by trying many. */
function searched(rows: readonly ScoredRow[]): number {
  const loss = (temperature: number): number =>
    rows.reduce(
      (sum, { logit, label }) =>
        sum + Math.log1p(Math.exp(((1 - 2 * label) * logit) / temperature)),
      0,
    );
  const tried = Array.from({ length: 240 }, (_, i) => Math.exp(-1.2 + i / 100));
  return tried.reduce((best, each) => (loss(each) < loss(best) ? each : best));
}

it.each([0.5, 1, 1.6])('finds the temperature of rows that were drawn with %f', (drawn) => {
  const rows = drawnRows(4000, 3, drawn);
  const found = temperatureOf(countedBy(rows, evenBorders(20)))!;
  expect(Math.abs(Math.log(found.estimate / searched(rows)))).toBeLessThan(0.04);
  expect(Math.abs(Math.log(found.temperature / found.estimate))).toBeLessThan(0.02);
});

it('errs by more from twenty bins of the probability than of the logit', () => {
  const rows = drawnRows(4000, 4, 1.4);
  const even = Array.from({ length: 21 }, (_, i) => Math.min(0.999, Math.max(0.001, i / 20)));
  const ofProbability = even.map((p) => Math.log(p / (1 - p)));
  const error = (borders: readonly number[]): number =>
    Math.abs(Math.log(temperatureOf(countedBy(rows, borders))!.estimate / searched(rows)));
  expect(error(evenBorders(20))).toBeLessThan(error(ofProbability));
});

it('is drawn towards 1 by noise, and then errs less than the estimate', () => {
  let [own, drawn, deviations] = [0, 0, 0];
  const seeds = 200;
  for (let seed = 0; seed < seeds; seed++) {
    const rows = drawnRows(148, seed, 1.2);
    const scores = countedBy(rows, evenBorders(20), { deviation: 3, seed });
    const { estimate, temperature, deviation } = temperatureOf(scores)!;
    own += Math.log(estimate / 1.2) ** 2 / seeds;
    drawn += Math.log(temperature / 1.2) ** 2 / seeds;
    deviations += Math.min(deviation ?? 2, 2) / seeds;
  }
  expect(drawn).toBeLessThan(own / 2);
  // The stated deviation is what the estimates have, within a factor of two.
  expect(deviations / Math.sqrt(own)).toBeGreaterThan(0.5);
  expect(deviations / Math.sqrt(own)).toBeLessThan(2);
});

it('is unknown without rows', () => {
  expect(temperatureOf(countedBy([], evenBorders(20)))).toBeUndefined();
});
