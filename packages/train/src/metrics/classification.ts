/**
 * Compares predicted classes with the true ones. The caller must have removed rows whose weight is
 * 0 (the padding of a batch).
 */
import { TrainError } from '../train-error.ts';

/** Counts by true class (row) and predicted class (column). */
export type ConfusionMatrix = readonly (readonly number[])[];

/** @throws TrainError `data` when there is nothing to compare, or a class is out of range, naming the row. */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ConfusionMatrix {
  if (labels.length === 0) throw new TrainError('data', 'There are no rows to evaluate.');
  const matrix = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (let row = 0; row < labels.length; row++) {
    const counts = matrix[labels[row]!];
    const column = predicted[row]!;
    if (counts?.[column] === undefined) {
      const flawed = counts === undefined ? `label ${labels[row]}` : `prediction ${column}`;
      throw new TrainError(
        'data',
        `Row ${row} has the ${flawed}, but there are ${classes} classes.`,
      );
    }
    counts[column]++;
  }
  return matrix;
}

/** Share of rows whose predicted class is the true one. */
export function accuracy(matrix: ConfusionMatrix): number {
  let right = 0;
  let all = 0;
  matrix.forEach((counts, label) => {
    right += counts[label]!;
    for (const count of counts) all += count;
  });
  return right / all;
}

/**
 * Harmonic mean of precision and recall for one class; 0 when the class neither occurs nor is predicted.
 */
export function f1(matrix: ConfusionMatrix, label: number): number {
  const hits = matrix[label]![label]!;
  let occurs = 0;
  let predicted = 0;
  matrix.forEach((counts, other) => {
    occurs += matrix[label]![other]!;
    predicted += counts[label]!;
  });
  return occurs + predicted === 0 ? 0 : (2 * hits) / (occurs + predicted);
}

/** Mean of the classes' F1, each counting the same: scikit-learn's `average='macro'`. */
export function macroF1(matrix: ConfusionMatrix): number {
  return matrix.reduce((sum, _, label) => sum + f1(matrix, label), 0) / matrix.length;
}
