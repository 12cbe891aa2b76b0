/**
 * Evaluation of a model while it is trained: one graph stays open and takes the current parameters
 * as inputs.
 */
import { values, type Model, type NumericTensor } from '@skein/onnx';
import { batcher } from '../data/batcher.ts';
import { inOrder } from '../data/rows/block-order.ts';
import {
  accuracy,
  auc,
  confusionMatrix,
  macroF1,
  type ConfusionMatrix,
} from '../metrics/classification.ts';
import { calibration, type Calibration } from '../metrics/calibration.ts';
import type { Tensors } from '../run/backend.ts';
import type { TrainingStep } from '../step/training-step.ts';
import { withParametersAsInputs } from '../step/trained-model.ts';
import { modelError } from '../train-error.ts';
import type { TrainOptions } from './trainer.ts';

export interface EvaluatorOptions extends Pick<TrainOptions, 'backend' | 'threads' | 'data'> {
  /** Rows per run. */
  readonly batch: number;
  /** The model's inputs. */
  readonly inputs: readonly string[];
  /** Its output: [batch, classes] of logits, or [batch, …] of numbers. */
  readonly output: string;
}

export interface Evaluator {
  /**
   * The output for every row, in order.
   * @throws TrainError `data` when a row's output is not a number.
   */
  predict(tensors: Tensors): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens the inference graph of a model whose parameters are trained by `step`. */
export async function openEvaluator(
  model: Model,
  step: Pick<TrainingStep, 'parameters' | 'statistics'>,
  { backend, threads, data, batch, inputs, output }: EvaluatorOptions,
): Promise<Evaluator> {
  const changing = [...step.parameters, ...step.statistics];
  const graph = await backend.open(withParametersAsInputs(model, changing), { threads });
  // The outputs of padding are dropped, so the mask has no effect here.
  const batches = batcher(data, { size: batch, inputs, mask: PADDING });
  const order = inOrder(data.count);
  return {
    async predict(tensors) {
      let all = new Float32Array(0);
      for (let index = 0; index < batches.count; index++) {
        const { tensors: filled, rows } = batches.fill(order, index);
        const feeds = new Map(filled);
        feeds.delete(PADDING);
        for (const { name } of changing) feeds.set(name, tensors.get(name)!);
        const result = (await graph.run(feeds)).get(output);
        if (result === undefined) {
          throw modelError(`The model has no output '${output}'.`);
        }
        const numbers = values(result) as Float32Array;
        const width = numbers.length / batch;
        if (index === 0) all = new Float32Array(data.count * width);
        all.set(numbers.subarray(0, rows * width), index * batch * width);
      }
      return all;
    },
    close: () => graph.close(),
  };
}

const PADDING = 'padding';

export interface ClassificationReport {
  /** Mean negative logarithm of the true class's probability. */
  readonly loss: number;
  readonly accuracy: number;
  readonly macroF1: number;
  /** Area of class 1 against class 0; only with two classes. */
  readonly auc?: number;
  readonly confusion: ConfusionMatrix;
  /** Calibration of the predicted class's probability. */
  readonly calibration: Calibration;
}

/** @param logits [rows, classes]. @throws TrainError `data` for a label out of range, naming the row. */
export function classificationReport(
  labels: NumericTensor,
  logits: Float32Array,
): ClassificationReport {
  const given = values(labels) as ArrayLike<number | bigint>;
  // Plain loops: of many rows, Array.from and TypedArray.from hold a list of numbers as objects.
  const truth = new Int32Array(given.length);
  for (let row = 0; row < truth.length; row++) truth[row] = Number(given[row]);
  const classes = logits.length / truth.length;
  const predicted = new Int32Array(truth.length);
  const confidence = new Float64Array(truth.length);
  const second = new Float64Array(truth.length);
  let loss = 0;
  truth.forEach((label, row) => {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    let best = 0;
    scores.forEach((score, i) => (best = score > scores[best]! ? i : best));
    let sum = 0;
    for (const score of scores) sum += Math.exp(score - scores[best]!);
    predicted[row] = best;
    confidence[row] = 1 / sum;
    if (classes === 2) second[row] = scores[1]! - scores[0]!;
    loss += (scores[best]! + Math.log(sum) - scores[label]!) / truth.length;
  });
  const confusion = confusionMatrix(truth, predicted, classes);
  const right = predicted.map((each, row) => Number(each === truth[row]));
  return {
    loss,
    accuracy: accuracy(confusion),
    macroF1: macroF1(confusion),
    ...(classes === 2 ? { auc: auc(truth, second) } : {}),
    confusion,
    calibration: calibration(right, confidence),
  };
}
