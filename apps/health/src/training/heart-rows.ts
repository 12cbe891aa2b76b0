/**
 * Patients of the UCI heart disease data (Janosi et al., dataset 45, CC BY 4.0) from a folder that the user names,
 * or generated ones. The files are not part of the project.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unreadable } from '@skein/api/file-errors';
import { seededRandom, type Random } from '@skein/onnx';
import { SkeinError } from '@skein/api';
import { TYPICAL_CHOLESTEROL, type Answers } from '../method/questions.ts';

export const HOSPITALS = ['cleveland', 'hungarian', 'switzerland', 'va'] as const;

export interface HeartRow {
  readonly answers: Answers;
  /** 1: narrowed coronary arteries. */
  readonly ill: number;
}
export type Hospitals = Readonly<Record<string, readonly HeartRow[]>>;

/**
 * Complete rows of the four hospitals. A cholesterol of 0 means that it was not measured, as for all patients of
 * the Swiss file; FLamby's preparation keeps the 0, from which a model learns absence as illness. A row that lacks
 * another answer is left out.
 * @throws SkeinError FILE_UNREADABLE, HEALTH_ROWS.
 */
export async function readHospitals(folder: string): Promise<Hospitals> {
  const hospitals = await Promise.all(
    HOSPITALS.map(async (name) => {
      const path = join(folder, `processed.${name}.data`);
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw unreadable(path, error);
      });
      const lines = text.split('\n').filter((line) => line.trim() !== '');
      return [name, lines.flatMap((line, i) => rowOf(line, `${path}:${i + 1}`))] as const;
    }),
  );
  return Object.fromEntries(hospitals);
}

const COLUMNS_IN_FILE = 14;

function rowOf(line: string, at: string): readonly HeartRow[] {
  const fields = line.trim().split(',');
  if (fields.length !== COLUMNS_IN_FILE) {
    throw new SkeinError(
      'HEALTH_ROWS',
      `${at} has ${fields.length} fields, not ${COLUMNS_IN_FILE}.`,
    );
  }
  const [age, sex, chestPain, pressure, cholesterol, sugar, ecg, peakRate, angina, depression] =
    fields.map((field) => (field === '?' || field === '-9' ? NaN : Number(field)));
  const answers: Answers = {
    age: age!,
    sex: sex!,
    chestPain: chestPain!,
    // A resting pressure of 0 is not one.
    pressure: pressure! > 0 ? pressure! : NaN,
    cholesterol: cholesterol! > 0 ? cholesterol! : TYPICAL_CHOLESTEROL,
    fastingSugar: sugar!,
    ecg: ecg!,
    peakRate: peakRate!,
    angina: angina!,
    stDepression: depression!,
  };
  if (Object.values(answers).some(Number.isNaN)) return [];
  return [{ answers, ill: Number(fields[13]) > 0 ? 1 : 0 }];
}

/** Rows of each hospital, and how ill its patients are, as in the real data. */
const GENERATED = {
  cleveland: [303, -0.3],
  hungarian: [261, -0.6],
  switzerland: [120, 1],
  va: [130, 0.6],
} as const satisfies Readonly<Record<(typeof HOSPITALS)[number], readonly [number, number]>>;
const SEED = 42;

/**
 * Invented patients whose illness shows in their answers. For demonstrations and tests without the files.
 * @param times as many as in the real data.
 */
export function generatedHospitals(times = 1): Hospitals {
  return Object.fromEntries(
    HOSPITALS.map((name, i) => {
      const random = seededRandom(SEED + i);
      const [count, illness] = GENERATED[name];
      return [name, Array.from({ length: times * count }, () => generatedRow(random, illness))];
    }),
  );
}

function generatedRow(random: Random, illness: number): HeartRow {
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const within = (value: number, low: number, high: number) =>
    Math.min(high, Math.max(low, Math.round(value)));
  const ill = illness + normal() > 0 ? 1 : 0;
  const chance = (share: number) => (random.next() < share ? 1 : 0);
  return {
    ill,
    answers: {
      age: within(52 + 4 * ill + 9 * normal(), 25, 85),
      sex: chance(0.6 + 0.25 * ill),
      chestPain: random.next() < 0.25 + 0.5 * ill ? 4 : within(1 + 2 * random.next(), 1, 3),
      pressure: within(130 + 4 * ill + 18 * normal(), 85, 210),
      cholesterol:
        random.next() < 0.1 ? TYPICAL_CHOLESTEROL : within(240 + 8 * ill + 50 * normal(), 110, 480),
      fastingSugar: chance(0.12 + 0.05 * ill),
      ecg: within(2 * random.next(), 0, 2),
      peakRate: within(150 - 18 * ill + 20 * normal(), 65, 205),
      angina: chance(0.15 + 0.45 * ill),
      stDepression: Number(Math.max(0, 0.4 + 0.9 * ill + 0.8 * normal()).toFixed(1)),
    },
  };
}
