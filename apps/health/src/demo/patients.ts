/** Charts of invented patients as FHIR resources. */
import { INPUT_SYSTEM, LOINC, UCUM } from '../fhir/codes.ts';
import type { Answers } from '../method/questions.ts';

const INVENTED = [
  {
    id: 'ill',
    answers: {
      age: 66,
      sex: 1,
      chestPain: 4,
      pressure: 158,
      cholesterol: 282,
      fastingSugar: 1,
      ecg: 2,
      peakRate: 104,
      angina: 1,
      stDepression: 2.4,
    },
  },
  {
    id: 'well',
    answers: {
      age: 41,
      sex: 0,
      chestPain: 2,
      pressure: 116,
      cholesterol: 204,
      fastingSugar: 0,
      ecg: 0,
      peakRate: 176,
      angina: 0,
      stDepression: 0,
    },
  },
] as const satisfies readonly { id: string; answers: Answers }[];

const CHEST_PAIN = ['typical-angina', 'atypical-angina', 'non-anginal-pain', 'no-chest-pain'];
const ECG = ['ecg-normal', 'ecg-st-t', 'ecg-hypertrophy'];

/** @param now milliseconds since 1970: results have the date of the day before. */
export function inventedCharts(now: number): readonly object[] {
  return INVENTED.flatMap(({ id, answers }) => chartOf(id, answers, now));
}

export const INVENTED_IDS: readonly string[] = INVENTED.map(({ id }) => id);

function chartOf(patient: string, answers: Answers, now: number): readonly object[] {
  const day = new Date(now - 86_400_000).toISOString().slice(0, 10);
  const observation = (id: string, system: string, code: string, value: object) => ({
    resourceType: 'Observation',
    id: `${patient}-${id}`,
    status: 'final',
    code: { coding: [{ system, code }] },
    subject: { reference: `Patient/${patient}` },
    effectiveDateTime: day,
    ...value,
  });
  const quantity = (value: number, code: string) => ({
    valueQuantity: { value, code, system: UCUM, unit: code },
  });
  const coded = (code: string) => ({
    valueCodeableConcept: { coding: [{ system: INPUT_SYSTEM, code }] },
  });
  return [
    {
      resourceType: 'Patient',
      id: patient,
      gender: answers.sex === 1 ? 'male' : 'female',
      birthDate: `${new Date(now).getUTCFullYear() - answers.age}-01-01`,
      name: [{ text: `Invented patient, ${patient}` }],
    },
    observation('pressure', LOINC, '8480-6', quantity(answers.pressure, 'mm[Hg]')),
    observation('cholesterol', LOINC, '2093-3', quantity(answers.cholesterol, 'mg/dL')),
    observation(
      'glucose',
      LOINC,
      '1558-6',
      quantity(answers.fastingSugar === 1 ? 134 : 92, 'mg/dL'),
    ),
    observation('ecg', LOINC, '8601-7', coded(ECG[answers.ecg]!)),
    observation('pain', INPUT_SYSTEM, 'chest-pain-type', coded(CHEST_PAIN[answers.chestPain - 1]!)),
    observation('rate', INPUT_SYSTEM, 'peak-heart-rate', quantity(answers.peakRate, '/min')),
    observation('angina', INPUT_SYSTEM, 'exercise-angina', { valueBoolean: answers.angina === 1 }),
    observation('st', INPUT_SYSTEM, 'exercise-st-depression', quantity(answers.stDepression, 'mm')),
  ];
}
