/** How a model does on rows with labels, whatever its task. */
import { values, type NumericTensor } from '@skein/onnx';
import { regressionErrors, type RegressionErrors } from '../metrics/regression.ts';
import { classificationReport, type ClassificationReport } from '../trainer/evaluate.ts';
import type { Blueprint } from './blueprint.ts';
import { LABELS, type Problem } from './problem.ts';
import type { Dataset } from '../data/dataset.ts';

export type TaskReport =
  | ({ readonly kind: 'classification'; readonly rows: number } & ClassificationReport)
  | ({
      readonly kind: 'regression';
      readonly rows: number;
      readonly loss: number;
    } & RegressionErrors);

/**
 * @param predicted raw predictions of all rows: logits, or numbers in the scale of the labels.
 * @throws TrainError `data` when there are no rows.
 */
export function taskReport(
  { blueprint, loss }: Pick<Problem, 'blueprint' | 'loss'>,
  { count, tensors }: Dataset,
  predicted: Float32Array,
): TaskReport {
  const labels = tensors.get(LABELS)!;
  if (blueprint.task === 'classification') {
    return { kind: 'classification', rows: count, ...classificationReport(labels, predicted) };
  }
  if (blueprint.task === 'binary') {
    // One logit against none is two classes.
    const logits = new Float32Array(count * 2);
    predicted.forEach((logit, row) => (logits[row * 2 + 1] = logit));
    const classes = { ...labels, ...whole(labels) };
    return { kind: 'classification', rows: count, ...classificationReport(classes, logits) };
  }
  const truth = values(labels) as Float32Array;
  return {
    kind: 'regression',
    rows: count,
    loss: meanLoss(loss, truth, predicted),
    ...inOwnUnit(regressionErrors(truth, predicted), blueprint),
  };
}

/** What a report has to say in one epoch's line; what is no number is left out. */
export function metricsOf(report: TaskReport): Readonly<Record<string, number>> {
  const { loss: validationLoss } = report;
  const found: Record<string, number | undefined> =
    report.kind === 'classification'
      ? {
          validationLoss,
          accuracy: report.accuracy,
          macroF1: report.macroF1,
          auc: report.auc,
          calibrationError: report.calibration.error,
        }
      : { validationLoss, mae: report.mae, rmse: report.rmse, r2: report.r2 };
  const numbers = Object.entries(found).filter(([, value]) => Number.isFinite(value));
  return Object.fromEntries(numbers) as Record<string, number>;
}

function whole(labels: NumericTensor): Pick<NumericTensor, 'type' | 'shape' | 'bytes'> {
  const numbers = BigInt64Array.from(values(labels) as Float32Array, (value) => BigInt(value));
  return { type: 'int64', shape: [numbers.length], bytes: new Uint8Array(numbers.buffer) };
}

function meanLoss(
  loss: Problem['loss'],
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
): number {
  const delta = loss.kind === 'huber' ? (loss.delta ?? 1) : 0;
  let sum = 0;
  for (let i = 0; i < truth.length; i++) {
    const size = Math.abs(truth[i]! - predicted[i]!);
    if (loss.kind === 'mean-absolute') sum += size;
    else if (loss.kind === 'huber') {
      sum += size <= delta ? size ** 2 / 2 : delta * (size - delta / 2);
    } else sum += size ** 2;
  }
  return sum / truth.length;
}

/** Errors in the unit of the labels; the share of the variance has none. */
function inOwnUnit(errors: RegressionErrors, { scale }: Blueprint): RegressionErrors {
  const { deviation } = scale ?? { deviation: 1 };
  return { mae: errors.mae * deviation, rmse: errors.rmse * deviation, r2: errors.r2 };
}
