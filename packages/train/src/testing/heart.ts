/**
 * UCI Heart Disease (dataset 45, CC BY 4.0) from four hospitals, prepared as FLamby's
 * Fed-Heart-Disease does. The files are not part of the project; a test without them is skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dense, sequential, tensor, withLoss, type LossModel } from '@skein/onnx';
import { dataset, type Dataset } from '../data/dataset.ts';

const FOLDER = new URL('../../../../../shared/data/heart/', import.meta.url);
export const HOSPITALS = ['cleveland', 'hungarian', 'switzerland', 'va'] as const;

/** Why tests with these data are skipped; undefined where the data are. */
export const noHeartData = existsSync(new URL('fedavg-seed42.json', FOLDER))
  ? undefined
  : 'the UCI heart data are not in ../shared/data/heart';

export interface HeartFixture {
  readonly split: Readonly<Record<string, { readonly test: readonly number[] }>>;
  readonly init_w: readonly number[];
  readonly init_b: readonly number[];
  /** Rows of each step, by hospital. */
  readonly fedavg_batches: readonly (readonly (readonly number[])[])[];
  readonly fedavg_final_w: readonly number[];
  readonly fedavg_final_b: readonly number[];
  /** By hospital, and pooled. */
  readonly fedavg_acc: readonly number[];
}

export function heartFixture(): HeartFixture {
  return JSON.parse(readFileSync(new URL('fedavg-seed42.json', FOLDER), 'utf8')) as HeartFixture;
}

export interface HeartRows {
  /** 13 features of each row. */
  readonly x: readonly (readonly number[])[];
  /** 1 for a disease. */
  readonly y: readonly number[];
}

export const FEATURES = 13;

/** The rows of a hospital, unscaled, split by the fixture. */
export function heartRows(
  hospital: string,
  { split }: HeartFixture,
): { readonly train: HeartRows; readonly test: HeartRows } {
  const text = readFileSync(new URL(`processed.${hospital}.data`, FOLDER), 'utf8');
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(','))
    .map((fields) => [...fields.slice(0, 10), fields[13]!])
    .filter((fields) => !fields.includes('?'))
    .map((fields) => fields.map(Number));
  const held = new Set(split[hospital]!.test);
  const part = (wanted: boolean): HeartRows => {
    const chosen = rows.filter((_, i) => held.has(i) === wanted);
    return { x: chosen.map(featuresOf), y: chosen.map((row) => (row.at(-1)! > 0 ? 1 : 0)) };
  };
  return { train: part(false), test: part(true) };
}

function featuresOf(row: readonly number[]): readonly number[] {
  const [age, sex, cp, trestbps, chol, fbs, restecg, thalach, exang, oldpeak] = row as [
    number,
    ...number[],
  ];
  const is = (value: number | undefined, level: number): number => (value === level ? 1 : 0);
  return [
    age,
    sex!,
    trestbps!,
    chol!,
    fbs!,
    thalach!,
    exang!,
    oldpeak!,
    is(cp, 2),
    is(cp, 3),
    is(cp, 4),
    is(restecg, 1),
    is(restecg, 2),
  ];
}

/**
 * Scales with the mean and unbiased deviation of the training rows, rounded to float32 as PyTorch
 * does: the fixture's digits depend on it. Such a scale is no private release.
 */
export function normalised(train: HeartRows, rows: HeartRows): HeartRows {
  const { length } = train.x;
  const scales = Array.from({ length: FEATURES }, (_, j) => {
    const mean = train.x.reduce((sum, row) => sum + row[j]!, 0) / length;
    const variance = train.x.reduce((sum, row) => sum + (row[j]! - mean) ** 2, 0) / (length - 1);
    // A column of one value, such as cholesterol in Switzerland, stays 0.
    return [Math.fround(mean), Math.fround(Math.sqrt(variance)) || 1] as const;
  });
  const scaled = (value: number, j: number): number =>
    Math.fround(Math.fround(Math.fround(value) - scales[j]![0]) / scales[j]![1]);
  return { x: rows.x.map((row) => row.map(scaled)), y: rows.y };
}

/**
 * Round ranges of clinical practice, which follow from no row: of age, resting blood pressure,
 * cholesterol, heart rate and ST depression, by their place among the features.
 */
const PUBLIC_RANGES: Readonly<Record<number, readonly [low: number, high: number]>> = {
  0: [30, 75],
  2: [100, 180],
  3: [100, 400],
  5: [70, 200],
  7: [0, 4],
};

/** Scales measurements to [−1, 1] by public ranges, so that no row moves another; flags stay 0 or 1. */
export function publiclyScaled({ x, y }: HeartRows): HeartRows {
  const scaled = (value: number, j: number): number => {
    const range = PUBLIC_RANGES[j];
    if (range === undefined) return value;
    return Math.min(Math.max((2 * (value - range[0])) / (range[1] - range[0]) - 1, -1), 1);
  };
  return { x: x.map((row) => row.map(scaled)), y };
}

/** The rows of several hospitals one after the other. */
export function pooledRows(parts: readonly HeartRows[]): HeartRows {
  return { x: parts.flatMap(({ x }) => x), y: parts.flatMap(({ y }) => y) };
}

/** Rows as inputs `x` [rows, 13] and `label` [rows, 1]. */
export function heartDataset({ x, y }: HeartRows): Dataset {
  return dataset({
    x: tensor('float32', [x.length, FEATURES], Float32Array.from(x.flat())),
    label: tensor('float32', [y.length, 1], Float32Array.from(y)),
  });
}

/** Logistic regression with inputs `x`, `label` and `mask` [batch]. */
export function heartModel(batch: number): LossModel {
  const model = sequential({
    input: { shape: [FEATURES] },
    layers: [dense({ units: 1 })],
    seed: 1,
    batch,
  });
  return withLoss(model, {
    loss: { kind: 'binary-cross-entropy' },
    target: 'label',
    weights: 'sample',
    weightName: 'mask',
  });
}

/** Probabilities of the disease under weights w₁ … w₁₃, b. */
export function probabilities(vector: ArrayLike<number>, { x }: HeartRows): readonly number[] {
  return x.map((row) => {
    const logit = row.reduce((sum, v, j) => sum + v * vector[j]!, vector[FEATURES]!);
    return 1 / (1 + Math.exp(-logit));
  });
}

/** Share of the rows that are predicted right. */
export function heartAccuracy(vector: ArrayLike<number>, rows: HeartRows): number {
  const right = probabilities(vector, rows).filter((p, i) => Number(p > 0.5) === rows.y[i]);
  return right.length / rows.x.length;
}
