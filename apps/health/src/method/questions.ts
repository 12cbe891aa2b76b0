/**
 * The ten questions that the model asks about a patient, in the order of the UCI heart disease columns, and
 * their public encoding: ranges that a physician would write down. No row moves another row's encoding.
 */
import type { PublicColumns } from '@skein/train';

export const QUESTIONS = [
  'age',
  'sex',
  'chestPain',
  'pressure',
  'cholesterol',
  'fastingSugar',
  'ecg',
  'peakRate',
  'angina',
  'stDepression',
] as const;
export type Question = (typeof QUESTIONS)[number];

/** One number per question: categories are their level, yes is 1. */
export type Answers = Readonly<Record<Question, number>>;

interface NumberQuestion {
  readonly kind: 'number';
  /** Become −1 and 1. */
  readonly range: readonly [number, number];
  /** Values outside are refused: a typing error, or a patient unlike all that the model was trained on. */
  readonly plausible: readonly [number, number];
}
interface ChoiceQuestion {
  readonly kind: 'choice';
  /** Level as the data write it, and its name for a reader. */
  readonly levels: readonly (readonly [number, string])[];
}
export type QuestionFacts = { readonly label: string; readonly unit: string } & (
  | NumberQuestion
  | ChoiceQuestion
);

const number = (
  label: string,
  unit: string,
  range: readonly [number, number],
  plausible: readonly [number, number],
) => ({ kind: 'number', label, unit, range, plausible }) as const;
const choice = (label: string, ...levels: readonly (readonly [number, string])[]) =>
  ({ kind: 'choice', label, unit: '', levels }) as const;

export const FACTS: Readonly<Record<Question, QuestionFacts>> = {
  age: number('Age', 'years', [30, 75], [18, 100]),
  sex: choice('Sex', [0, 'female'], [1, 'male']),
  chestPain: choice(
    'Chest pain',
    [1, 'typical angina'],
    [2, 'atypical angina'],
    [3, 'non-anginal'],
    [4, 'none'],
  ),
  pressure: number('Systolic pressure', 'mm[Hg]', [100, 180], [60, 260]),
  cholesterol: number('Cholesterol', 'mg/dL', [100, 400], [50, 700]),
  fastingSugar: choice('Fasting glucose above 120 mg/dL', [0, 'no'], [1, 'yes']),
  ecg: choice('Resting ECG', [0, 'normal'], [1, 'ST-T abnormality'], [2, 'hypertrophy']),
  peakRate: number('Peak heart rate', '/min', [70, 200], [50, 230]),
  angina: choice('Angina on exercise', [0, 'no'], [1, 'yes']),
  stDepression: number('ST depression', 'mm', [0, 4], [-5, 10]),
};

/**
 * The patient that reasons compare with: a healthy man of 50. It is stated, and follows from no hospital's
 * patients, so the reasons of two hospitals can be compared.
 */
export const BASELINE: Answers = {
  age: 50,
  sex: 1,
  chestPain: 3,
  pressure: 120,
  cholesterol: 200,
  fastingSugar: 0,
  ecg: 0,
  peakRate: 165,
  angina: 0,
  stDepression: 0,
};

/** Cholesterol of a patient without a measurement, in training and in answers; mg/dL. */
export const TYPICAL_CHOLESTEROL = 230;

/** The encoding as the platform's trainers take it. A choice of two levels is one number. */
export const COLUMNS = {
  features: QUESTIONS.map((name) => {
    const facts = FACTS[name];
    if (facts.kind === 'number') {
      return { name, kind: 'number', low: facts.range[0], high: facts.range[1] } as const;
    }
    if (facts.levels.length === 2) return { name, kind: 'number', low: 0, high: 1 } as const;
    return {
      name,
      kind: 'category',
      categories: facts.levels.map(([level]) => String(level)),
    } as const;
  }),
  target: { name: 'disease', kind: 'category', classes: ['0', '1'] },
} as const satisfies PublicColumns;

/** Question of each encoded number. */
export const ENCODED: readonly Question[] = COLUMNS.features.flatMap((feature) =>
  feature.kind === 'number' ? [feature.name] : feature.categories.map(() => feature.name),
);
/** Numbers of an encoded patient. */
export const WIDTH = ENCODED.length;

/** The encoded patient, [WIDTH]; the same numbers as the encoder inside a federated model. */
export function encode(answers: Answers): Float32Array {
  const encoded: number[] = [];
  for (const feature of COLUMNS.features) {
    const answer = answers[feature.name];
    if (feature.kind === 'category') {
      encoded.push(...feature.categories.map((level) => (level === String(answer) ? 1 : 0)));
    } else {
      const half = (feature.high - feature.low) / 2;
      encoded.push((answer - (feature.low + feature.high) / 2) / half);
    }
  }
  return Float32Array.from(encoded);
}

/** An answer as a reader sees it, such as `132 mm[Hg]` or `male`. */
export function answerText(question: Question, answer: number): string {
  const facts = FACTS[question];
  if (facts.kind === 'choice') {
    return facts.levels.find(([level]) => level === answer)?.[1] ?? String(answer);
  }
  return `${Number(answer.toFixed(1))} ${facts.unit}`;
}
