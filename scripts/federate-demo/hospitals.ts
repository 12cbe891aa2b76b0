/**
 * The rows of four hospitals: generated ones with the columns of the heart disease data of the UCI
 * repository, or the files of that data from a folder. They are split into rows to train on, which
 * one site gets as a CSV file, and held-out rows.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, type Random } from '@skein/onnx';

export interface Hospital {
  readonly name: string;
  /** Values in the order of `COLUMNS`; empty where one is missing. */
  readonly train: readonly (readonly string[])[];
  readonly test: readonly (readonly string[])[];
}

export const COLUMNS = [
  'age',
  'sex',
  'cp',
  'trestbps',
  'chol',
  'fbs',
  'restecg',
  'thalach',
  'exang',
  'oldpeak',
  'disease',
] as const;

const number = (name: string, low: number, high: number, fill: number) =>
  ({ name, kind: 'number', low, high, fill }) as const;

/** Public facts of the columns: ranges that a physician would write down, not the ranges of the rows. */
export const DATA = {
  features: [
    number('age', 20, 90, 55),
    number('sex', 0, 1, 1),
    { name: 'cp', kind: 'category', categories: ['1', '2', '3', '4'] },
    number('trestbps', 80, 220, 130),
    number('chol', 100, 500, 240),
    number('fbs', 0, 1, 0),
    { name: 'restecg', kind: 'category', categories: ['0', '1', '2'] },
    number('thalach', 60, 210, 140),
    number('exang', 0, 1, 0),
    number('oldpeak', -3, 7, 0.5),
  ],
  target: { name: 'disease', kind: 'category', classes: ['0', '1'] },
} as const;

const NAMES = ['cleveland', 'hungarian', 'switzerland', 'va'] as const;
/** Rows of each hospital, as in the real data, and how ill its patients are. */
const GENERATED = {
  cleveland: [303, -0.3],
  hungarian: [261, -0.6],
  switzerland: [46, 1.5],
  va: [130, 0.9],
} as const;
const TRAIN_SHARE = 0.66;
const SEED = 42;

export function generatedHospitals(): Hospital[] {
  return NAMES.map((name, i) => {
    const random = seededRandom(SEED + i);
    const [count, illness] = GENERATED[name];
    return split(
      name,
      Array.from({ length: count }, () => generatedRow(random, illness)),
    );
  });
}

/** @param folder with `processed.cleveland.data` and the other three files. */
export function givenHospitals(folder: string): Hospital[] {
  return NAMES.map((name) => {
    const text = readFileSync(join(folder, `processed.${name}.data`), 'utf8');
    const rows = text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const fields = line.split(',').map((field) => (field === '?' ? '' : String(Number(field))));
        const diagnosis = Number(fields[13]) > 0 ? '1' : '0';
        return [...fields.slice(0, 10), diagnosis];
      })
      // Categories have no stand-in for a missing value.
      .filter((fields) => fields[2] !== '' && fields[6] !== '');
    return split(name, rows);
  });
}

export function csvOf(rows: Hospital['train']): string {
  return [COLUMNS.join(','), ...rows.map((row) => row.join(','))].join('\n');
}

function split(name: string, rows: readonly (readonly string[])[]): Hospital {
  const random = seededRandom(SEED);
  const isTrain = rows.map(() => random.next() < TRAIN_SHARE);
  return {
    name,
    train: rows.filter((_, i) => isTrain[i]),
    test: rows.filter((_, i) => !isTrain[i]),
  };
}

/** A patient whose illness shows in the columns, with noise and with missing values. */
function generatedRow(random: Random, illness: number): string[] {
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const within = (value: number, low: number, high: number) =>
    Math.min(high, Math.max(low, Math.round(value)));
  const ill = illness + normal() > 0 ? 1 : 0;
  const chance = (share: number) => (random.next() < share ? '1' : '0');
  const row = [
    within(52 + 4 * ill + 9 * normal(), 25, 85),
    chance(0.6 + 0.25 * ill),
    random.next() < 0.25 + 0.5 * ill ? 4 : within(1 + 2 * random.next(), 1, 3),
    within(130 + 4 * ill + 18 * normal(), 85, 210),
    within(240 + 8 * ill + 50 * normal(), 110, 480),
    chance(0.12 + 0.05 * ill),
    within(2 * random.next(), 0, 2),
    within(150 - 18 * ill + 20 * normal(), 65, 205),
    chance(0.15 + 0.45 * ill),
    Math.max(0, 0.4 + 0.9 * ill + 0.8 * normal()).toFixed(1),
    ill,
  ];
  const incomplete = random.next();
  if (incomplete < 0.1) row[4] = '';
  if (incomplete > 0.95) row[3] = '';
  return row.map(String);
}
