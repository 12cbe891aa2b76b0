/**
 * From a table's raw rows to what a network likes: numbers shifted and scaled to mean 0 and deviation
 * 1, categories one-hot.
 *
 * The encoding is fitted on the training rows only, so that nothing of the others leaks into the
 * model, and `withEncoder` writes it into the graph, so that whoever serves the model sends raw rows.
 */
import { tensor } from '@skein/onnx';
import { TrainError } from '../train-error.ts';
import { classNumbers, dataset, type Dataset } from './dataset.ts';
import { momentsOf } from './moments.ts';
import { columnOf, type Column, type Table } from './table.ts';

export interface NumberFeature {
  readonly name: string;
  readonly kind: 'number';
  /** What is subtracted. */
  readonly mean: number;
  /** What is divided by: the standard deviation; 1 for a column that is constant. */
  readonly deviation: number;
  /** What stands for a missing value, NaN in a raw row; absent: it is a mistake. */
  readonly fill?: number;
}

export interface CategoryFeature {
  readonly name: string;
  readonly kind: 'category';
  readonly categories: readonly string[];
}

export type Feature = NumberFeature | CategoryFeature;

export type Target =
  /** Class i is `classes[i]`. */
  | { readonly name: string; readonly kind: 'category'; readonly classes: readonly string[] }
  | { readonly name: string; readonly kind: 'number' };

export interface Encoder {
  /** In the order of the columns of a raw row. */
  readonly features: readonly Feature[];
  readonly target: Target;
  /** Columns after encoding. */
  readonly width: number;
}

export interface FitOptions {
  /** Column to predict; by its name alone, a column of texts has classes and one of numbers has numbers. */
  readonly target: string | Target;
  /** Columns to predict from; default all others. */
  readonly features?: readonly string[];
  /** Rows to fit on: the training rows. */
  readonly rows: ArrayLike<number>;
  /** `none` leaves numbers as they are; categories are one-hot all the same. Default `standard`. */
  readonly numbers?: 'standard' | 'none';
  /** `mean` lets a missing number be the mean, and a missing category none. Default: a mistake. */
  readonly missing?: 'mean';
}

/**
 * Classes are in the order of their characters, so that they do not depend on the order of the rows.
 * @throws TrainError `data` for a column that is not there, or no rows to fit on.
 */
export function fitEncoder(table: Table, options: FitOptions): Encoder {
  const { features, rows } = options;
  if (rows.length === 0) throw new TrainError('data', 'There are no rows to fit the encoding on.');
  const target =
    typeof options.target === 'string'
      ? targetOfColumn(columnOf(table, options.target))
      : options.target;
  const names =
    features ?? table.columns.map(({ name }) => name).filter((name) => name !== target.name);
  if (names.length === 0) {
    throw new TrainError('data', `There is no column besides '${target.name}' to predict it from.`);
  }
  const fitted = names.map((name) => fitFeature(columnOf(table, name), options));
  const widths = fitted.map((each) => (each.kind === 'number' ? 1 : each.categories.length));
  return { features: fitted, target, width: widths.reduce((sum, width) => sum + width, 0) };
}

function targetOfColumn(column: Column): Target {
  const { name, kind } = column;
  return kind === 'number' ? { name, kind } : { name, kind, classes: column.categories.toSorted() };
}

function fitFeature(column: Column, { rows, numbers = 'standard', missing }: FitOptions): Feature {
  const { name } = column;
  if (column.kind === 'category') {
    const seen = new Set<number>();
    for (let i = 0; i < rows.length; i++) seen.add(column.codes[rows[i]!]!);
    return { name, kind: 'category', categories: column.categories.filter((_, i) => seen.has(i)) };
  }
  const moments = momentsOf(column.values, rows);
  if (moments === undefined) {
    throw new TrainError('data', `Column '${name}' has no value in any training row.`);
  }
  const { mean, deviation } = moments;
  const scale = numbers === 'none' ? { mean: 0, deviation: 1 } : { mean, deviation };
  return { name, kind: 'number', ...scale, ...(missing === 'mean' ? { fill: mean } : {}) };
}

/**
 * Raw rows as `features`, float32 [rows, features], a category being its position; and the target as `labels`:
 * int64 [rows] for classes, float32 [rows, 1] for numbers. A category that was not in the training
 * rows, or is missing, gets the next position after the last, and is encoded as all zeros.
 *
 * @throws TrainError `data` for a missing column, a column of another type, or a class that the
 *   encoder does not know, naming the row.
 */
export function encodeRows(table: Table, encoder: Encoder): Dataset {
  const { features, target } = encoder;
  const x = new Float32Array(table.count * features.length);
  features.forEach((feature, position) => {
    const numbers = numbersOf(table, feature);
    for (let row = 0; row < table.count; row++) x[row * features.length + position] = numbers(row);
  });
  const shape = [table.count, features.length];
  return dataset({ features: tensor('float32', shape, x), labels: targetOf(table, target) });
}

function numbersOf(table: Table, feature: Feature): (row: number) => number {
  const column = columnOf(table, feature.name);
  if (column.kind !== feature.kind) {
    throw new TrainError(
      'data',
      `Column '${feature.name}' holds ${column.kind === 'number' ? 'numbers' : 'categories'}, but held ${feature.kind === 'number' ? 'numbers' : 'categories'} when the encoding was fitted.`,
    );
  }
  if (column.kind === 'number' || feature.kind === 'number') {
    return (row) => (column.kind === 'number' ? column.values[row]! : NaN);
  }
  const unknown = feature.categories.length;
  const positions = column.categories.map((each) => {
    const position = feature.categories.indexOf(each);
    return position < 0 ? unknown : position;
  });
  return (row) => positions[column.codes[row]!] ?? unknown;
}

function targetOf(table: Table, target: Target) {
  const column = columnOf(table, target.name);
  if (target.kind === 'category') {
    const labels = Array.from({ length: table.count }, (_, row) =>
      column.kind === 'number'
        ? String(column.values[row])
        : (column.categories[column.codes[row]!] ?? 'NaN'),
    );
    return classNumbers(labels, target.classes, target.name);
  }
  if (column.kind !== 'number') {
    throw new TrainError(
      'data',
      `Column '${target.name}' must hold numbers to be predicted as one, but holds texts such as '${column.categories[0]}'.`,
    );
  }
  const missing = column.values.findIndex((value) => Number.isNaN(value));
  if (missing >= 0) {
    throw new TrainError('data', `Row ${missing} has no '${target.name}' to learn from.`);
  }
  return tensor('float32', [table.count, 1], Float32Array.from(column.values));
}
