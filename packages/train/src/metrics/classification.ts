/**
 * Compares predicted classes with the true ones. The caller must have removed rows whose weight is
 * 0 (the padding of a batch).
 */
import { dataError } from '../train-error.ts';

/** Counts by true class (row) and predicted class (column). */
export type ConfusionMatrix = readonly (readonly number[])[];

/** @throws TrainError `data` when there is nothing to compare, or a class is out of range, naming the row. */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ConfusionMatrix {
  if (labels.length === 0) throw dataError('There are no rows to evaluate.');
  const matrix = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (let row = 0; row < labels.length; row++) {
    const counts = matrix[labels[row]!];
    const column = predicted[row]!;
    if (counts?.[column] === undefined) {
      const flawed = counts === undefined ? `label ${labels[row]}` : `prediction ${column}`;
      throw dataError(`Row ${row} has the ${flawed}, but there are ${classes} classes.`);
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

/** Mean of the F1 of all classes of the model, each counting the same: scikit-learn's `average='macro'` with all of them as `labels`. */
export function macroF1(matrix: ConfusionMatrix): number {
  return matrix.reduce((sum, _, label) => sum + f1(matrix, label), 0) / matrix.length;
}

/**
 * The area under the ROC curve: how likely a row of class 1 has a higher score than one of class 0,
 * ties counting half. By ranks, as in Hanley and McNeil (Radiology, 1982).
 *
 * @param labels 0 or 1.
 * @returns NaN when a class is missing, because there is nothing to compare.
 */
export function auc(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: labels.length }, (_, i) => i);
  order.sort((a, b) => scores[a]! - scores[b]!);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    // Ranks start + 1 … end are shared by the ties.
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]!] !== 1) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = labels.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
