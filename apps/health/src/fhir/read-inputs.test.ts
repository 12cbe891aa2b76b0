import { describe, expect, it } from 'vitest';
import {
  bundleOf,
  chartOf,
  coded,
  loinc,
  NOW,
  observation,
  ours,
  PATIENT,
  quantity,
  RESULTS,
  type Results,
} from '../testing/chart.ts';
import { recordOf } from './bundle.ts';
import { LOINC } from './codes.ts';
import { readInputs } from './read-inputs.ts';

function read(results: Results, patient: object = PATIENT) {
  const { patient: found, reference, observations } = recordOf(chartOf(results, patient));
  const { readings, gaps } = readInputs(found, reference, observations, NOW);
  return {
    gaps: Object.fromEntries(gaps),
    range: (question: string) => {
      const reading = new Map<string, { low: number; high: number }>(readings).get(question);
      return reading && [reading.low, reading.high];
    },
  };
}

it('reads every answer of a complete chart', () => {
  const { gaps, range } = read(RESULTS);
  expect(gaps).toEqual({});
  const values = [
    ['age', 68],
    ['sex', 1],
    ['chestPain', 4],
    ['pressure', 160],
    ['cholesterol', 286],
    ['fastingSugar', 1],
    ['ecg', 2],
    ['peakRate', 98],
    ['angina', 1],
    ['stDepression', 2.6],
  ] as const;
  for (const [question, value] of values)
    expect([question, range(question)]).toEqual([question, [value, value]]);
});

describe('quantities', () => {
  it.each([
    ['cholesterol', '2093-3', quantity(5.5, 'mmol/L'), 212.685],
    ['cholesterol', '14647-2', quantity(5.5, 'mmol/L'), 212.685],
    ['cholesterol', '2093-3', quantity(2.1, 'g/L'), 210],
    ['pressure', '8480-6', quantity(20, 'kPa'), 150.0124],
  ] as const)('converts the unit of %s %s', (question, code, value, expected) => {
    const [low, high] = read({
      ...RESULTS,
      [question]: observation('o9', loinc(code), value),
    }).range(question)!;
    expect([low, high]).toEqual([expect.closeTo(expected, 6), low]);
  });

  it('takes no unit that is not in UCUM, not in the table, or missing', () => {
    const with_ = (value: object) =>
      read({ ...RESULTS, pressure: observation('o9', loinc('8480-6'), value as never) }).gaps;
    expect(with_(quantity(160, 'Pa'))).toEqual({ pressure: 'unit' });
    expect(with_({ valueQuantity: { value: 160, unit: 'mmHg' } })).toEqual({ pressure: 'unit' });
    expect(with_({ valueQuantity: { value: 160, code: 'mm[Hg]', system: 'urn:x' } })).toEqual({
      pressure: 'unit',
    });
    expect(with_({ dataAbsentReason: { coding: [{ code: 'unknown' }] } })).toEqual({
      pressure: 'value',
    });
    expect(
      with_({
        valueQuantity: { value: 160, code: '__proto__', system: 'http://unitsofmeasure.org' },
      }),
    ).toEqual({ pressure: 'unit' });
  });

  it('refuses a value that no patient has', () => {
    expect(
      read({
        ...RESULTS,
        peakRate: observation('o9', ours('peak-heart-rate'), quantity(980, '/min')),
      }).gaps,
    ).toEqual({ peakRate: 'implausible' });
    expect(
      read({ ...RESULTS, pressure: observation('o9', loinc('8480-6'), quantity(0, 'mm[Hg]')) })
        .gaps,
    ).toEqual({ pressure: 'implausible' });
  });

  it.each([
    ['<', 150, [50, 150]],
    ['<=', 150, [50, 150]],
    ['>', 400, [400, 700]],
    ['>=', 400, [400, 700]],
  ] as const)('makes a bound of the comparator %s', (comparator, value, expected) => {
    const results = {
      ...RESULTS,
      cholesterol: observation('o9', loinc('2093-3'), quantity(value, 'mg/dL', comparator)),
    };
    expect(read(results).range('cholesterol')).toEqual(expected);
  });

  it.each([
    [quantity(120, 'mg/dL'), [0, 0]],
    [quantity(121, 'mg/dL'), [1, 1]],
    [quantity(6.7, 'mmol/L'), [1, 1]],
    [quantity(6.6, 'mmol/L'), [0, 0]],
    [quantity(120, 'mg/dL', '<'), [0, 0]],
    [quantity(130, 'mg/dL', '<'), [0, 1]],
    [quantity(110, 'mg/dL', '>'), [0, 1]],
    [quantity(120, 'mg/dL', '>'), [1, 1]],
    [quantity(120, 'mg/dL', '>='), [0, 1]],
  ] as const)('compares glucose with 120: %j', (value, expected) => {
    const results = { ...RESULTS, fastingSugar: observation('o9', loinc('1558-6'), value) };
    expect(read(results).range('fastingSugar')).toEqual(expected);
  });
});

describe('which result counts', () => {
  const pressure = (id: string, value: number, more: object) =>
    observation(id, loinc('8480-6'), quantity(value, 'mm[Hg]'), more as never);

  it('is the newest final one', () => {
    const results = {
      ...RESULTS,
      old: pressure('p-old', 120, { effectiveDateTime: '2026-04-01' }),
      pressure: pressure('p-new', 141, { effectiveDateTime: '2026-05-30T08:00:00+02:00' }),
      ...Object.fromEntries(
        ['preliminary', 'cancelled', 'entered-in-error', 'registered', 'unknown'].map((status) => [
          status,
          pressure(status, 99, { status, effectiveDateTime: '2026-05-31' }),
        ]),
      ),
      undated: { ...pressure('undated', 98, {}), effectiveDateTime: undefined },
      ahead: pressure('ahead', 97, { effectiveDateTime: '2026-06-02' }),
    };
    expect(read(results).range('pressure')).toEqual([141, 141]);
  });

  it('is no stale one, and a date without a day is as old as its first day', () => {
    const at = (effectiveDateTime: string) =>
      read({ ...RESULTS, pressure: pressure('o2', 120, { effectiveDateTime }) }).gaps;
    expect(at('2026-03-05')).toEqual({});
    expect(at('2026-03-01')).toEqual({ pressure: 'stale' });
    expect(at('2026-03')).toEqual({ pressure: 'stale' });
    expect(at('2026')).toEqual({ pressure: 'stale' });
  });

  it('reads a component of the panel, and no heart rate at rest', () => {
    const panel = observation(
      'bp',
      loinc('85354-9'),
      {},
      {
        component: [
          { code: { coding: [{ system: LOINC, code: '8462-4' }] }, ...quantity(80, 'mm[Hg]') },
          { code: { coding: [{ system: LOINC, code: '8480-6' }] }, ...quantity(133, 'mm[Hg]') },
        ],
      },
    );
    const rate = observation('o6', loinc('8867-4'), quantity(98, '/min'));
    const { range, gaps } = read({ ...RESULTS, pressure: panel, peakRate: rate });
    expect([range('pressure'), gaps]).toEqual([[133, 133], { peakRate: 'absent' }]);
  });
});

it('takes no code for a value that is unknown or contradicts itself', () => {
  const ecg = (value: object) =>
    read({ ...RESULTS, ecg: observation('o5', loinc('8601-7'), value as never) }).gaps;
  expect(ecg(coded(ours('ecg-strange')))).toEqual({ ecg: 'value' });
  const both = { coding: [ours('ecg-normal'), ours('ecg-st-t')] };
  expect(ecg({ valueCodeableConcept: both })).toEqual({ ecg: 'value' });
  expect(ecg({ valueCodeableConcept: { coding: [ours('ecg-normal'), loinc('LA1-1')] } })).toEqual(
    {},
  );
});

it('has no answer for a patient whose age or sex the model does not know', () => {
  const gaps = (patient: object) => read(RESULTS, { ...PATIENT, ...patient }).gaps;
  expect(gaps({ gender: 'other' })).toEqual({ sex: 'sex-not-binary' });
  expect(gaps({ gender: undefined })).toEqual({ sex: 'absent' });
  expect(gaps({ birthDate: undefined })).toEqual({ age: 'absent' });
  expect(gaps({ deceasedBoolean: true })).toEqual({ age: 'deceased' });
  expect(gaps({ deceasedDateTime: '2025' })).toEqual({ age: 'deceased' });
  expect(gaps({ birthDate: '2020-01-01' })).toEqual({ age: 'implausible' });
  expect(read(RESULTS, { ...PATIENT, birthDate: '1958' }).range('age')).toEqual([67, 68]);
});

describe('what is refused', () => {
  const [first] = Object.values(RESULTS);
  it.each([
    ['two patients', bundleOf([PATIENT, PATIENT]), /holds 2 Patients/],
    ['no patient', bundleOf([first!]), /holds 0 Patients/],
    [
      'another patient',
      chartOf({ a: { ...first, subject: { reference: 'Patient/p2' } } }),
      /entry\.1\.resource\.subject/,
    ],
    ['an unknown subject', chartOf({ a: { ...first, subject: undefined } }), /subject/],
    ['obs-6', chartOf({ a: { ...RESULTS.pressure, dataAbsentReason: {} } }), /obs-6/],
    [
      'an unknown status',
      chartOf({ a: { ...first, status: 'done' } }),
      /entry\.1\.resource\.status/,
    ],
    [
      'a modifier',
      chartOf({ a: { ...first, modifierExtension: [{ url: 'urn:not' }] } }),
      /modifierExtension/,
    ],
    [
      'a number as text',
      chartOf({ a: observation('o', loinc('8480-6'), { valueQuantity: { value: '160' } }) }),
      /value/,
    ],
    ['an impossible birth date', chartOf({}, { ...PATIENT, birthDate: '1958-02-30' }), /birthDate/],
    ['a birth to come', chartOf({}, { ...PATIENT, birthDate: '2027' }), /future/],
    [
      'an impossible effective date',
      chartOf({ a: { ...first, effectiveDateTime: 'yesterday' } }),
      /effective/,
    ],
    ['a transaction', bundleOf([PATIENT], 'transaction'), /type/],
    [
      'bdl-3',
      { ...bundleOf([]), entry: [{ resource: PATIENT, request: { method: 'GET' } }] },
      /bdl-3/,
    ],
    [
      'bdl-7',
      {
        ...bundleOf([]),
        entry: [
          { fullUrl: 'urn:a', resource: PATIENT },
          { fullUrl: 'urn:a', resource: first },
        ],
      },
      /bdl-7/,
    ],
    ['no Bundle', PATIENT, /resourceType/],
    ['nothing', null, /Bundle/],
  ])('%s', (_name, bundle, message) => {
    const reading = () => {
      const { patient, reference, observations } = recordOf(bundle);
      return readInputs(patient, reference, observations, NOW);
    };
    expect(reading).toThrow(
      expect.objectContaining({ code: 'HEALTH_RESOURCE', message: expect.stringMatching(message) }),
    );
  });
});

it('follows references by fullUrl, relative and absolute', () => {
  const url = 'https://ehr.example/fhir/';
  const subject = (reference: string, own?: string, patientUrl?: string) => {
    const entry = [
      { fullUrl: patientUrl ?? `${url}Patient/p1`, resource: PATIENT },
      {
        ...(own === undefined ? {} : { fullUrl: own }),
        resource: { ...RESULTS.pressure, subject: { reference } },
      },
    ];
    return recordOf({ resourceType: 'Bundle', type: 'collection', entry }).observations.length;
  };
  expect(subject('Patient/p1', `${url}Observation/o2`)).toBe(1);
  expect(subject(`${url}Patient/p1`)).toBe(1);
  expect(subject('Patient/p1/_history/3')).toBe(1);
  expect(subject('urn:uuid:1b', undefined, 'urn:uuid:1b')).toBe(1);
  expect(() => subject('https://other.example/fhir/Patient/p1', `${url}Observation/o2`)).toThrow(
    /subject/,
  );
  expect(() => subject('Patient/p11', `${url}Observation/o2`)).toThrow(/subject/);
});
