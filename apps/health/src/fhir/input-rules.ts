/**
 * How each question is read from an Observation: its codes, the units that are converted, the values that
 * count, and the age in days after which a result is stale. One row per question.
 *
 * 8867-4 (heart rate) is no peak rate: it may be any heart rate, so it has no row.
 */
import { INPUT_SYSTEM, LOINC } from './codes.ts';
import type { Question } from '../method/questions.ts';

/** Questions that Observations answer; age and sex come from the Patient. */
export type Measured = Exclude<Question, 'age' | 'sex'>;

interface Rule {
  /** `system|code` of an Observation or of a component. */
  readonly codes: readonly string[];
  readonly maxAgeDays: number;
}
export interface QuantityRule extends Rule {
  readonly kind: 'quantity';
  /** Factor from a UCUM unit to the model's. */
  readonly units: Readonly<Record<string, number>>;
  /** The answer is 1 above this value and 0 up to it. */
  readonly above?: number;
}
export interface CodedRule extends Rule {
  readonly kind: 'coded';
  /** Level by `system|code`. */
  readonly values: Readonly<Record<string, number>>;
}
export interface BooleanRule extends Rule {
  readonly kind: 'boolean';
}
export type InputRule = QuantityRule | CodedRule | BooleanRule;

const ours = (code: string) => `${INPUT_SYSTEM}|${code}`;
const loinc = (code: string) => `${LOINC}|${code}`;

export const INPUT_RULES: Readonly<Record<Measured, InputRule>> = {
  chestPain: {
    kind: 'coded',
    codes: [ours('chest-pain-type')],
    maxAgeDays: 90,
    values: {
      [ours('typical-angina')]: 1,
      [ours('atypical-angina')]: 2,
      [ours('non-anginal-pain')]: 3,
      [ours('no-chest-pain')]: 4,
    },
  },
  // Alone, or a component of the panel 85354-9.
  pressure: {
    kind: 'quantity',
    codes: [loinc('8480-6')],
    maxAgeDays: 90,
    units: { 'mm[Hg]': 1, kPa: 7.50062 },
  },
  cholesterol: {
    kind: 'quantity',
    codes: [loinc('2093-3'), loinc('14647-2')],
    maxAgeDays: 730,
    units: { 'mg/dL': 1, 'g/L': 100, 'mmol/L': 38.67 },
  },
  fastingSugar: {
    kind: 'quantity',
    codes: [loinc('1558-6')],
    maxAgeDays: 365,
    units: { 'mg/dL': 1, 'g/L': 100, 'mmol/L': 18.016 },
    above: 120,
  },
  ecg: {
    kind: 'coded',
    codes: [loinc('8601-7')],
    maxAgeDays: 365,
    values: { [ours('ecg-normal')]: 0, [ours('ecg-st-t')]: 1, [ours('ecg-hypertrophy')]: 2 },
  },
  peakRate: {
    kind: 'quantity',
    codes: [ours('peak-heart-rate')],
    maxAgeDays: 365,
    units: { '/min': 1, '{beats}/min': 1, '{Beats}/min': 1 },
  },
  angina: { kind: 'boolean', codes: [ours('exercise-angina')], maxAgeDays: 365 },
  stDepression: {
    kind: 'quantity',
    codes: [ours('exercise-st-depression')],
    maxAgeDays: 365,
    units: { mm: 1, cm: 10, mV: 10 },
  },
};

export const MEASURED = Object.keys(INPUT_RULES) as readonly Measured[];

/** The panel whose component holds the systolic pressure. */
export const PRESSURE_PANEL = loinc('85354-9');
