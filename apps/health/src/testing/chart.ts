/** A patient's chart for tests, whose answer is known to be clear: ill beyond doubt. */
import { INPUT_SYSTEM, LOINC, UCUM } from '../fhir/codes.ts';
import { PREFETCH } from '../hooks/messages.ts';

export const NOW = Date.parse('2026-06-01T12:00:00Z');
const DAY = '2026-05-20';

export interface Coded {
  readonly system: string;
  readonly code: string;
}
const concept = (system: string, code: string) => ({ coding: [{ system, code }] });

export function observation(
  id: string,
  { system, code }: Coded,
  value: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
) {
  return {
    resourceType: 'Observation',
    id,
    status: 'final',
    code: concept(system, code),
    subject: { reference: 'Patient/p1' },
    effectiveDateTime: DAY,
    ...value,
    ...more,
  };
}

export const loinc = (code: string): Coded => ({ system: LOINC, code });
export const ours = (code: string): Coded => ({ system: INPUT_SYSTEM, code });
export const quantity = (value: number, code: string, comparator?: string) => ({
  valueQuantity: { value, code, system: UCUM, unit: code, ...(comparator && { comparator }) },
});
export const coded = ({ system, code }: Coded) => ({ valueCodeableConcept: concept(system, code) });

export const PATIENT = {
  resourceType: 'Patient',
  id: 'p1',
  gender: 'male',
  birthDate: '1958-03-07',
  name: [{ family: 'Quillfeather' }],
} as const;

/** Each input's Observation by the name of its question. */
export const RESULTS = {
  chestPain: observation('o1', ours('chest-pain-type'), coded(ours('no-chest-pain'))),
  pressure: observation('o2', loinc('8480-6'), quantity(160, 'mm[Hg]')),
  cholesterol: observation('o3', loinc('2093-3'), quantity(286, 'mg/dL')),
  fastingSugar: observation('o4', loinc('1558-6'), quantity(131, 'mg/dL')),
  ecg: observation('o5', loinc('8601-7'), coded(ours('ecg-hypertrophy'))),
  peakRate: observation('o6', ours('peak-heart-rate'), quantity(98, '/min')),
  angina: observation('o7', ours('exercise-angina'), { valueBoolean: true }),
  stDepression: observation('o8', ours('exercise-st-depression'), quantity(2.6, 'mm')),
} as const;
export type Results = Readonly<Record<string, object>>;

export function bundleOf(resources: readonly object[], type = 'collection') {
  return { resourceType: 'Bundle', type, entry: resources.map((resource) => ({ resource })) };
}

/** A Bundle of the patient and these results. */
export const chartOf = (results: Results = RESULTS, patient: object = PATIENT) =>
  bundleOf([patient, ...Object.values(results)]);

/** The chart as a client prefetches it. */
export function prefetchOf(results: Results = RESULTS, patient: object = PATIENT) {
  const searches = Object.keys(PREFETCH).filter((key) => key !== 'patient');
  const isIn = (key: string, result: object): boolean => {
    const [coding] = (result as { code: { coding: Coded[] } }).code.coding;
    return PREFETCH[key]!.includes(`${coding!.system}|${coding!.code}`);
  };
  return {
    patient,
    ...Object.fromEntries(
      searches.map((key) => [
        key,
        bundleOf(
          Object.values(results).filter((result) => isIn(key, result)),
          'searchset',
        ),
      ]),
    ),
  };
}
