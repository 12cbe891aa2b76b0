/** How far predicted numbers are from the true ones. */
import { dataError } from '../train-error.ts';

export interface RegressionErrors {
  /** Mean absolute error. */
  readonly mae: number;
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** Share of the variance that is explained: 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; NaN when y is constant. */
  readonly r2: number;
}

/** @throws TrainError `data` when there is nothing to compare. */
export function regressionErrors(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
): RegressionErrors {
  const count = truth.length;
  if (count === 0) throw dataError('There are no rows to evaluate.');
  // From the first on: the mean of equal numbers is then exactly that number, and their variance 0.
  const first = truth[0]!;
  let mean = first;
  for (let i = 0; i < count; i++) mean += (truth[i]! - first) / count;
  let absolute = 0;
  let squared = 0;
  let variance = 0;
  for (let i = 0; i < count; i++) {
    const error = truth[i]! - predicted[i]!;
    absolute += Math.abs(error) / count;
    squared += error ** 2;
    variance += (truth[i]! - mean) ** 2;
  }
  return {
    mae: absolute,
    rmse: Math.sqrt(squared / count),
    r2: variance === 0 ? NaN : 1 - squared / variance,
  };
}
