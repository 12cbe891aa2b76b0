import { afterAll, beforeAll, expect, it } from 'vitest';
import { readModel } from '@skein/onnx';
import { recordOf } from '../fhir/bundle.ts';
import { readInputs } from '../fhir/read-inputs.ts';
import {
  chartOf,
  loinc,
  NOW,
  observation,
  ours,
  PATIENT,
  quantity,
  RESULTS,
  type Results,
} from '../testing/chart.ts';
import { testVersion } from '../testing/serving.ts';
import { generatedHospitals } from '../training/heart-rows.ts';
import { assess } from './assess.ts';
import { BASELINE, QUESTIONS } from './questions.ts';
import { openScorer, type Scorer } from './scorer.ts';
import type { Version } from './version.ts';

let scorer: Scorer;
let version: Version;
beforeAll(async () => {
  const trained = await testVersion();
  version = trained.version;
  scorer = await openScorer(readModel(trained.model));
});
afterAll(() => scorer.close());

function about(results: Results, patient: object = PATIENT, site = 'cleveland', by = version) {
  const record = recordOf(chartOf(results, patient));
  return assess(
    readInputs(record.patient, record.reference, record.observations, NOW),
    site,
    by,
    scorer,
  );
}

it('answers, with reasons that add up to the difference to the baseline', () => {
  const { answer } = about(RESULTS);
  expect(answer).toMatchObject({
    set: ['ill'],
    site: 'cleveland',
    uncertain: [],
    version: version.digest,
  });
  const logit = (p: number) => Math.log(p / (1 - p));
  const sum = QUESTIONS.reduce((all, each) => all + answer!.reasons[each], 0);
  expect(sum).toBeCloseTo(logit(answer!.probability) - logit(answer!.baselineProbability), 4);
  expect(answer!.reasons.sex).toBe(0);
});

it('integrates exactly enough over all rows', () => {
  const gaps = Object.values(generatedHospitals())
    .flat()
    .map(({ answers }) => scorer.reasons(answers).gap);
  expect(Math.max(...gaps)).toBeLessThan(1e-4);
  const { shares, gap } = scorer.reasons(BASELINE);
  expect([new Set(Object.values(shares)), gap]).toEqual([new Set([0]), 0]);
});

it('agrees with finite differences along the path', () => {
  // A midpoint rule with 2,000 points on logits alone: an independent route to the same integral.
  const from = BASELINE;
  const to = { ...BASELINE, age: 71, peakRate: 101 };
  const at = (share: number, question: 'age' | 'peakRate', step: number) => ({
    ...from,
    age: from.age + share * (to.age - from.age) + (question === 'age' ? step : 0),
    peakRate:
      from.peakRate + share * (to.peakRate - from.peakRate) + (question === 'peakRate' ? step : 0),
  });
  const { shares } = scorer.reasons(to);
  for (const question of ['age', 'peakRate'] as const) {
    const points = Array.from({ length: 200 }, (_, i) => (i + 0.5) / 200);
    const [up, down] = [0.5, -0.5].map((step) =>
      scorer.logits(points.map((share) => at(share, question, step))),
    );
    const mean = points.reduce((all, _, i) => all + up![i]! - down![i]!, 0) / points.length;
    expect(shares[question]).toBeCloseTo(mean * (to[question] - from[question]), 2);
  }
});

const without = (question: keyof typeof RESULTS): Results =>
  Object.fromEntries(Object.entries(RESULTS).filter(([each]) => each !== question));

it('names what is missing', () => {
  expect(about(without('peakRate')).abstention).toEqual({
    why: 'missing',
    missing: [['peakRate', 'absent']],
  });
});

it('answers without a cholesterol only where no cholesterol would change the set', () => {
  const { answer } = about(without('cholesterol'));
  expect(answer).toMatchObject({
    set: ['ill'],
    uncertain: [{ question: 'cholesterol', low: 130, high: 340 }],
  });
  const broken = {
    ...RESULTS,
    cholesterol: observation('o3', loinc('2093-3'), quantity(5, 'mol/L')),
  };
  expect(about(broken).abstention).toMatchObject({ why: 'missing' });
});

it('abstains where an interval holds patients with another set', () => {
  const bound = {
    ...RESULTS,
    peakRate: observation('o6', ours('peak-heart-rate'), quantity(60, '/min', '>')),
  };
  // Peak rates from 60 to 230: the set changes in between for a patient without other findings.
  const mild = {
    ...bound,
    angina: observation('o7', ours('exercise-angina'), { valueBoolean: false }),
    stDepression: observation('o8', ours('exercise-st-depression'), quantity(0.8, 'mm')),
    chestPain: observation('o1', ours('chest-pain-type'), {
      valueCodeableConcept: { coding: [ours('non-anginal-pain')] },
    }),
  };
  expect(about(mild).abstention).toEqual({ why: 'uncertain' });
  expect(about(RESULTS, { ...PATIENT, birthDate: '1958' }).answer?.uncertain).toEqual([
    { question: 'age', low: 67, high: 68 },
  ]);
});

it('abstains at a hospital without its own counts, and where both outcomes are possible', () => {
  expect(about(RESULTS, PATIENT, 'elsewhere').abstention).toEqual({ why: 'uncalibrated' });
  const wide = { ...version, thresholds: { cleveland: { margin: 20, patients: 90 } } };
  expect(about(RESULTS, PATIENT, 'cleveland', wide).abstention).toEqual({ why: 'undecided' });
  const none = { ...version, thresholds: { cleveland: { margin: null, patients: 4 } } };
  expect(about(RESULTS, PATIENT, 'cleveland', none).abstention).toEqual({ why: 'uncalibrated' });
});
