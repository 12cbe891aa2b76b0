/**
 * Labels in the form of the loss: class numbers, shares of classes, or numbers in the scale of the
 * prediction; per row, or per place of a row (pixels, tokens).
 */
import { elementCount, tensor, values, type Loss, type NumericTensor } from '@skein/onnx';
import { classNumbers, requireIndices } from '../data/dataset.ts';
import { dataError } from '../train-error.ts';
import type { Blueprint } from './blueprint.ts';
import type { TrainingData } from './training-data.ts';

/** Largest difference from 1 of the sum of a row's shares. */
const ROUNDING = 1e-3;

/** Whether a loss compares with shares of classes instead of a class. */
export function isSoft(loss: Loss | Loss['kind'] | undefined): boolean {
  return (
    typeof loss === 'object' && loss.kind === 'cross-entropy' && loss.targets === 'probabilities'
  );
}

/**
 * @param row shape of the prediction for a row, such as [classes] or [classes, …].
 * @throws TrainError `data` for an invalid label, naming the row.
 */
export function arrayLabels(
  { labels, classes: named }: TrainingData & { from: 'arrays' },
  { task, classes, table, axis = 1 }: Blueprint,
  { loss, row }: { readonly loss: Loss | undefined; readonly row: readonly number[] },
): NumericTensor {
  if (table !== undefined) {
    throw dataError('The model was trained on a table, and takes no arrays.');
  }
  if (task === 'regression') {
    requireSize(labels, elementCount(row), row);
    return tensor('float32', labels.shape, finite(labels));
  }
  if (task === 'classification' && isSoft(loss)) {
    return shares(tensor('float32', labels.shape, finite(labels)), row);
  }
  const places = placesOf(task, row, axis);
  requireSize(labels, elementCount(places), places);
  const numbers = values(labels) as ArrayLike<number | bigint>;
  const ignored = loss?.kind === 'cross-entropy' ? loss.ignoreIndex : undefined;
  if (ignored !== undefined || places.length > 0) {
    return placeLabels(labels, numbers, { classes: classes.length, ignored, places });
  }
  // A label may be a position in names of its own, as folders of images give.
  const nameOf = (index: number) => {
    const label = Number(numbers[index]);
    return named?.[label] ?? String(label);
  };
  return classNumbers(numbers.length, nameOf, classes, 'label');
}

/** Shape of the labels of a row: a class for each logit, or for each place that has a logit for every class. */
function placesOf(task: Blueprint['task'], row: readonly number[], axis: number) {
  if (task === 'binary') return elementCount(row) === 1 ? [] : row;
  return row.toSpliced(axis < 0 ? row.length + axis : axis - 1, 1);
}

function requireSize(labels: NumericTensor, wanted: number, shape: readonly number[]): void {
  const [count = 0, ...rest] = labels.shape;
  if (elementCount(rest) === wanted) return;
  const fitting = wanted === 1 ? 'one number per row' : `[rows, ${shape.join(', ')}]`;
  throw dataError(
    `The labels have the shape [${[count, ...rest].join(', ')}], but the model needs ${fitting}.`,
  );
}

function finite(labels: NumericTensor): Float32Array<ArrayBuffer> {
  const found = Float32Array.from(values(labels) as ArrayLike<number | bigint>, Number);
  const flaw = found.findIndex((value) => !Number.isFinite(value));
  if (flaw < 0) return found;
  const width = found.length / labels.shape[0]!;
  throw dataError(
    `Row ${Math.floor(flaw / width)} has the label ${found[flaw]}, which is not a number.`,
  );
}

/** Shares of classes, [rows, classes], whose sum per row is 1. */
function shares(labels: NumericTensor, row: readonly number[]): NumericTensor {
  requireSize(labels, elementCount(row), row);
  const numbers = values(labels) as Float32Array;
  const width = elementCount(row);
  for (let start = 0; start < numbers.length; start += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += numbers[start + i]! < 0 ? NaN : numbers[start + i]!;
    if (Math.abs(sum - 1) <= ROUNDING) continue;
    throw dataError(
      `Row ${start / width} has shares of classes that are not from 0 to 1 and 1 together: ${numbers.slice(start, start + Math.min(width, 8)).join(', ')}.`,
    );
  }
  return labels;
}

/** A class for each place of a row. */
function placeLabels(
  labels: NumericTensor,
  numbers: ArrayLike<number | bigint>,
  {
    classes,
    ignored,
    places,
  }: {
    readonly classes: number;
    readonly ignored: number | undefined;
    readonly places: readonly number[];
  },
): NumericTensor {
  const [count = 0] = labels.shape;
  requireIndices(labels, { classes, ignored }, (row) => row);
  const result = BigInt64Array.from(numbers, BigInt);
  return tensor('int64', [count, ...places], result);
}
