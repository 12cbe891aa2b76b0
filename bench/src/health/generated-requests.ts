/**
 * `patient-view` requests by a seed: whole charts with values of all sizes, and charts that lack, repeat or break a part, in
 * the ways in which clients of records do.
 */
import type { Random } from '@skein/onnx';
import {
  coded,
  observation,
  ours,
  loinc,
  PATIENT,
  prefetchOf,
  quantity,
  type Results,
} from '../../../apps/health/src/testing/chart.ts';
import { viewOf } from '../../../apps/health/src/testing/serving.ts';

const DAY_MS = 86_400_000;
/** Share of requests with a chart that is broken on purpose. */
const BROKEN_SHARE = 0.35;

export function generatedRequest(random: Random): object {
  const draw = drawFrom(random);
  const results = resultsOf(draw);
  const request = viewOf({ prefetch: prefetchOf(results, patientOf(draw)) }) as Request;
  return draw.chance(BROKEN_SHARE) ? draw.one(BREAKS)(request, draw) : request;
}

interface Draw {
  readonly chance: (share: number) => boolean;
  readonly one: <Item>(items: readonly Item[]) => Item;
  readonly between: (low: number, high: number) => number;
}

function drawFrom(random: Random): Draw {
  return {
    chance: (share) => random.next() < share,
    one: (items) => items[Math.floor(random.next() * items.length)]!,
    between: (low, high) => low + random.next() * (high - low),
  };
}

const dayBefore = (days: number): string =>
  new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);

/** Patients: ages from 15 to 105, birth dates with and without a day, and any administrative gender. */
function patientOf({ chance, one, between }: Draw): object {
  const year = new Date().getUTCFullYear() - Math.round(between(15, 105));
  const birthDate = one([`${year}-03-07`, `${year}-11`, String(year)]);
  const gender = chance(0.9) ? one(['male', 'female']) : one(['other', 'unknown', undefined]);
  return { ...PATIENT, birthDate, gender };
}

/** Results of a hospital's range, at times beyond it, bounded, old or missing. */
function resultsOf({ chance, one, between }: Draw): Results {
  const measured = (
    id: string,
    code: ReturnType<typeof loinc>,
    low: number,
    high: number,
    unit: string,
  ) => {
    const value = chance(0.97) ? between(low, high) : one([-1, 0, 1e9, 1e-9, high * 4]);
    const comparator = chance(0.04) ? one(['<', '<=', '>=', '>']) : undefined;
    return observation(id, code, quantity(Number(value.toFixed(2)), unit, comparator), when());
  };
  const when = () => ({
    effectiveDateTime: dayBefore(chance(0.97) ? between(1, 20) : between(400, 9000)),
    ...(chance(0.02) ? { status: one(['cancelled', 'entered-in-error', 'preliminary']) } : {}),
  });
  const all: Results = {
    chestPain: observation('o1', ours('chest-pain-type'), coded(ours(one(PAINS))), when()),
    pressure: measured('o2', loinc('8480-6'), 90, 200, 'mm[Hg]'),
    cholesterol: chance(0.8)
      ? measured('o3', loinc('2093-3'), 120, 400, 'mg/dL')
      : measured('o3', loinc('14647-2'), 3, 10, 'mmol/L'),
    fastingSugar: measured('o4', loinc('1558-6'), 70, 190, 'mg/dL'),
    ecg: observation('o5', loinc('8601-7'), coded(ours(one(ECGS))), when()),
    peakRate: measured('o6', ours('peak-heart-rate'), 70, 200, '/min'),
    angina: observation('o7', ours('exercise-angina'), { valueBoolean: chance(0.5) }, when()),
    stDepression: measured('o8', ours('exercise-st-depression'), 0, 4, 'mm'),
  };
  return Object.fromEntries(Object.entries(all).filter(() => chance(0.98)));
}

const PAINS = ['typical-angina', 'atypical-angina', 'non-anginal-pain', 'no-chest-pain', 'none'];
const ECGS = ['ecg-normal', 'ecg-st-t', 'ecg-hypertrophy'];

type Prefetch = Readonly<Record<string, unknown>>;
type Request = Readonly<Record<string, unknown>> & { readonly prefetch: Prefetch };
type Break = (request: Request, draw: Draw) => object;

const instead =
  (valueOf: (given: unknown) => unknown): Break =>
  (request, { one }) => {
    const key = one(Object.keys(request.prefetch));
    return { ...request, prefetch: { ...request.prefetch, [key]: valueOf(request.prefetch[key]) } };
  };
const entriesOf = (bundle: unknown): readonly object[] =>
  (bundle as { readonly entry?: readonly object[] }).entry ?? [];

const BREAKS: readonly Break[] = [
  instead(() => null),
  instead(() => undefined),
  instead(() => ({ resourceType: 'OperationOutcome', issue: [{ severity: 'error' }] })),
  instead(() => '<html>502 Bad Gateway</html>'),
  instead((given) => ({ ...(given as object), link: [{ relation: 'next', url: 'page-2' }] })),
  instead((given) => ({ ...(given as object), entry: [...entriesOf(given), ...entriesOf(given)] })),
  instead((given) => ({
    ...(given as object),
    entry: [{ resource: { resourceType: 'Observation' } }],
  })),
  instead((given) => ({ ...(given as object), entry: [{}] })),
  instead(() => []),
  (request) => ({ ...request, prefetch: undefined }),
  (request) => ({ ...request, context: { userId: 'Practitioner/7', patientId: 'p2' } }),
  (request, { one }) => ({ ...request, [one(Object.keys(request))]: undefined }),
  (request, { one }) => ({ ...request, [one(Object.keys(request))]: one([7, '', [], {}, null]) }),
  (request) => ({ ...request, fhirServer: 'http://169.254.169.254/latest' }),
  (request) => ({ ...request, extension: { 'org.example': { deep: [[[]]] } } }),
];
