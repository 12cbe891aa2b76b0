/**
 * Reads the answers to the model's questions from a Patient and Observations.
 *
 * An answer that the record does not pin down is an interval, never a guess: a comparator such as `<`, a
 * birth date without a day, a cholesterol that was never measured. What is missing carries its reason.
 */
import { FACTS, type Question } from '../method/questions.ts';
import { UCUM } from './codes.ts';
import {
  INPUT_RULES,
  type InputRule,
  MEASURED,
  type Measured,
  type QuantityRule,
} from './input-rules.ts';
import { agesOf, intervalOf } from './partial-dates.ts';
import { invalid, type Observation, type Patient, type Valued } from './resources.ts';

const DAY_MS = 86_400_000;
/** Clocks of two machines differ; a result that is newer than this is an error of its record. */
const AHEAD_MS = 300_000;

export interface Reading {
  readonly low: number;
  /** Above `low` where the record gives a bound or an interval. */
  readonly high: number;
  /** Reference of the resource, such as `Observation/o1`. */
  readonly source: string;
}

/** Why a question has no answer. */
export type Gap =
  | 'absent'
  | 'stale'
  | 'unit'
  | 'value'
  | 'implausible'
  | 'sex-not-binary'
  | 'deceased';

export interface Inputs {
  readonly readings: ReadonlyMap<Question, Reading>;
  readonly gaps: ReadonlyMap<Question, Gap>;
}

/** An Observation and the reference by which an answer names it. */
export interface Sourced {
  readonly observation: Observation;
  readonly reference: string;
}

/**
 * @param now milliseconds since 1970.
 * @throws SkeinError HEALTH_RESOURCE for a birth date that is none or lies in the future.
 */
export function readInputs(
  patient: Patient,
  patientReference: string,
  observations: readonly Sourced[],
  now: number,
): Inputs {
  const readings = new Map<Question, Reading>();
  const gaps = new Map<Question, Gap>();
  const take = (question: Question, found: Omit<Reading, 'source'> | Gap, source: string): void => {
    if (typeof found === 'string') gaps.set(question, found);
    else if (isPlausible(question, found)) readings.set(question, { ...found, source });
    else gaps.set(question, 'implausible');
  };
  take('age', ageOf(patient, now), patientReference);
  take('sex', sexOf(patient), patientReference);
  const dated = observations.flatMap((each) => datedOf(each, now));
  // The newest counts. A date that lacks a day counts from its first one.
  dated.sort((a, b) => b.from - a.from);
  for (const question of MEASURED) {
    const rule = INPUT_RULES[question];
    const found = dated.flatMap(({ parts, ...rest }) => {
      const part = parts.find(({ code }) =>
        codesOf(code).some((each) => rule.codes.includes(each)),
      );
      return part === undefined ? [] : [{ ...rest, part }];
    })[0];
    if (found === undefined) gaps.set(question, 'absent');
    else if (now - found.from > rule.maxAgeDays * DAY_MS) gaps.set(question, 'stale');
    else take(question, valueOf(question, rule, found.part), found.reference);
  }
  return { readings, gaps };
}

function ageOf({ birthDate, deceasedBoolean, deceasedDateTime }: Patient, now: number) {
  if (deceasedBoolean === true || deceasedDateTime !== undefined) return 'deceased';
  if (birthDate === undefined) return 'absent';
  const birth = intervalOf(birthDate);
  if (birth === undefined) throw invalid('Patient.birthDate', 'is not a FHIR date');
  if (birth.from > now) throw invalid('Patient.birthDate', 'lies in the future');
  const [low, high] = agesOf({ from: birth.from, to: Math.min(birth.to, now) }, now);
  return { low, high };
}

function sexOf({ gender }: Patient) {
  if (gender === undefined) return 'absent';
  if (gender === 'other' || gender === 'unknown') return 'sex-not-binary';
  const sex = gender === 'male' ? 1 : 0;
  return { low: sex, high: sex };
}

/** Results that count: final ones whose time is known and has passed. */
function datedOf({ observation, reference }: Sourced, now: number) {
  const { status, effectiveDateTime, effectiveInstant, effectivePeriod, component } = observation;
  if (status !== 'final' && status !== 'amended' && status !== 'corrected') return [];
  const text =
    effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.end ?? effectivePeriod?.start;
  if (text === undefined) return [];
  const effective = intervalOf(text);
  if (effective === undefined) throw invalid(`${reference}.effective`, 'is not a FHIR date');
  if (effective.from > now + AHEAD_MS) return [];
  const parts: readonly Valued[] = [observation, ...(component ?? [])];
  return [{ from: effective.from, reference, parts }];
}

function codesOf(code: Valued['code']): readonly string[] {
  return (code.coding ?? []).map((each) => `${each.system ?? ''}|${each.code ?? ''}`);
}

function valueOf(question: Measured, rule: InputRule, part: Valued): Omit<Reading, 'source'> | Gap {
  if (rule.kind === 'boolean') {
    const { valueBoolean } = part;
    if (valueBoolean === undefined) return 'value';
    return { low: Number(valueBoolean), high: Number(valueBoolean) };
  }
  if (rule.kind === 'coded') {
    const { valueCodeableConcept } = part;
    if (valueCodeableConcept === undefined) return 'value';
    const levels = new Set(
      codesOf(valueCodeableConcept).flatMap((each) =>
        Object.hasOwn(rule.values, each) ? [rule.values[each]!] : [],
      ),
    );
    // Two codings that contradict each other are no answer.
    if (levels.size !== 1) return 'value';
    const [level] = levels;
    return { low: level!, high: level! };
  }
  return quantityOf(question, rule, part.valueQuantity);
}

function quantityOf(
  question: Measured,
  { units, above }: QuantityRule,
  quantity: Valued['valueQuantity'],
): Omit<Reading, 'source'> | Gap {
  const { value, system, code, comparator } = quantity ?? {};
  if (value === undefined) return 'value';
  if (system !== UCUM || code === undefined || !Object.hasOwn(units, code)) return 'unit';
  const measured = value * units[code]!;
  // A comparator makes a bound: the other end is the end of what is plausible.
  const facts = FACTS[question];
  const [least, most] = facts.kind === 'number' ? facts.plausible : [0, Infinity];
  const isUpper = comparator === '<' || comparator === '<=';
  const low = isUpper ? least : measured;
  const high = comparator === '>' || comparator === '>=' ? most : measured;
  if (above === undefined) return { low, high };
  // `<120.5` may be below 120; `<=120` and `<120` cannot be above it.
  return {
    low: low > above || (comparator === '>' && low >= above) ? 1 : 0,
    high: high > above ? 1 : 0,
  };
}

function isPlausible(question: Question, { low, high }: Omit<Reading, 'source'>): boolean {
  const facts = FACTS[question];
  if (facts.kind === 'choice') return true;
  const [least, most] = facts.plausible;
  return low >= least && high <= most && low <= high;
}
