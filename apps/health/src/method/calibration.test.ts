import { seededRandom } from '@skein/onnx';
import { expect, it } from 'vitest';
import { probabilityOf, setOf, temperatureOf, thresholdOf } from './calibration.ts';
import { BINS, binOf, countsOf, EDGES } from './counts.ts';

type Row = readonly [logit: number, ill: number];

/** Patients whose logits are honest after a division by `temperature`. */
function patients(count: number, temperature: number, seed: number): Row[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const normal =
      Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    const honest = 1.8 * normal;
    return [honest * temperature, random.next() < 1 / (1 + Math.exp(-honest)) ? 1 : 0];
  });
}

it('puts every patient in one bin', () => {
  expect(EDGES).toEqual(EDGES.map((edge) => -edge || 0).toReversed());
  expect(EDGES).toEqual(EDGES.toSorted((a, b) => a - b));
  const { well, ill } = countsOf([
    [-99, 0],
    [0, 1],
    [0.01, 0],
    [99, 1],
  ]);
  expect([...well, ...ill].reduce((sum, each) => sum + each)).toBe(4);
  expect([binOf(-99), binOf(99), binOf(0.3)]).toEqual([0, BINS - 1, EDGES.indexOf(0.3)]);
});

it('takes the ⌈.9(n+1)⌉-th score, rounded up to a border', () => {
  for (const seed of [1, 2, 3]) {
    const rows = patients(150, 1, seed);
    const scores = rows.map(([logit, ill]) => (ill ? -logit : logit)).toSorted((a, b) => a - b);
    const exact = scores[Math.ceil(0.9 * 151) - 1]!;
    const { margin, patients: n } = thresholdOf(countsOf(rows));
    expect(margin).toBe(EDGES.find((edge) => edge >= exact));
    expect(n).toBe(150);
  }
});

it('excludes nothing on less than nine patients', () => {
  const none = Array.from({ length: 9 }, (): Row => [2, 1]);
  expect(thresholdOf(countsOf(none.slice(1))).margin).toBeNull();
  expect(thresholdOf(countsOf(none)).margin).not.toBeNull();
  expect(setOf(5, { margin: null, patients: 0 })).toEqual(['ill', 'well']);
});

it('keeps the promise over many calibrations, and holds no more outcomes than it needs', () => {
  let [held, all, size] = [0, 0, 0];
  for (let seed = 0; seed < 100; seed++) {
    const threshold = thresholdOf(countsOf(patients(150, 1.3, seed)));
    for (const [logit, ill] of patients(100, 1.3, 1000 + seed)) {
      const set = setOf(logit, threshold);
      all++;
      size += set.length;
      if (set.includes(ill ? 'ill' : 'well')) held++;
    }
  }
  expect(held / all).toBeGreaterThan(0.9);
  expect(held / all).toBeLessThan(0.94);
  expect(size / all).toBeLessThan(1.5);
});

it('guards the promise against noise in the counts', () => {
  const counts = countsOf(patients(500, 1, 5));
  const margins = [0, 1, 3].map((noise) => thresholdOf({ ...counts, noise }).margin!);
  expect(margins).toEqual(margins.toSorted((a, b) => a - b));
  expect(margins[2]).toBeGreaterThan(margins[0]!);
});

it('finds the temperature, and moves little on few patients', () => {
  for (const temperature of [0.7, 1, 1.6]) {
    const counts = countsOf(patients(20_000, temperature, 7));
    expect(Math.log(temperatureOf([counts]))).toBeCloseTo(Math.log(temperature), 1);
  }
  const few = temperatureOf([countsOf(patients(20, 1.6, 8))]);
  expect(Math.abs(Math.log(few))).toBeLessThan(0.3);
  expect(probabilityOf(0, 1.7)).toBe(0.5);
});
