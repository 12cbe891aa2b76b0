/** How well a model predicts labelled rows, for every task. */
import { tensor, values, type NumericTensor } from '@skein/onnx';
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
    const logits = byPlace(predicted, labels, blueprint);
    const report =
      labels.type === 'int64'
        ? classificationReport(...counted(labels, logits, loss))
        : softReport(labels, logits);
    return { kind: 'classification', rows: count, ...report };
  }
  if (blueprint.task === 'binary') {
    // One logit is compared with 0, which makes two classes.
    const logits = new Float32Array(predicted.length * 2);
    predicted.forEach((logit, place) => (logits[place * 2 + 1] = logit));
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

/** The metrics of a report for the line of one epoch, without those that are not numbers. */
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

/**
 * Logits as [places, classes], when each place of a row has its own: otherwise [rows, classes, …].
 */
function byPlace(
  logits: Float32Array,
  { shape: [rows = 0, ...places] }: NumericTensor,
  { axis = 1, classes }: Pick<Blueprint, 'axis' | 'classes'>,
): Float32Array {
  const width = classes.length;
  const size = logits.length / (rows * width);
  if (places.length === 0 || axis !== 1 || size === 1) return logits;
  const turned = new Float32Array(logits.length);
  for (let row = 0; row < rows; row++) {
    const start = row * width * size;
    for (let each = 0; each < width; each++) {
      for (let place = 0; place < size; place++) {
        turned[start + place * width + each] = logits[start + each * size + place]!;
      }
    }
  }
  return turned;
}

/** Labels and logits without the places that the loss ignores. */
function counted(
  labels: NumericTensor,
  logits: Float32Array,
  loss: Problem['loss'],
): readonly [NumericTensor, Float32Array] {
  const ignored = loss.kind === 'cross-entropy' ? loss.ignoreIndex : undefined;
  if (ignored === undefined) return [labels, logits];
  const truth = values(labels) as BigInt64Array;
  const width = logits.length / truth.length;
  const kept = [...truth.keys()].filter((place) => Number(truth[place]) !== ignored);
  const rest = new Float32Array(kept.length * width);
  kept.forEach((place, i) =>
    rest.set(logits.subarray(place * width, (place + 1) * width), i * width),
  );
  return [
    tensor(
      'int64',
      [kept.length],
      BigInt64Array.from(kept, (place) => truth[place]!),
    ),
    rest,
  ];
}

/** For labels that are shares of classes: the class with the largest share is the true one, the loss counts all. */
function softReport(labels: NumericTensor, logits: Float32Array): ClassificationReport {
  const shares = values(labels) as Float32Array;
  const [rows = 0, width = 1] = labels.shape;
  const truth = new BigInt64Array(rows);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const own = shares.subarray(row * width, (row + 1) * width);
    const scores = logits.subarray(row * width, (row + 1) * width);
    truth[row] = BigInt(own.indexOf(Math.max(...own)));
    const largest = Math.max(...scores);
    const sum = scores.reduce((all, score) => all + Math.exp(score - largest), 0);
    own.forEach((share, i) => (loss += (share * (largest + Math.log(sum) - scores[i]!)) / rows));
  }
  return { ...classificationReport(tensor('int64', [rows], truth), logits), loss };
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
