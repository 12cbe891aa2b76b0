/** The task of a model: which of its values is compared with which labels by which loss. */
import { inferShapes, type Dimension, type Loss, type Model } from '@skein/onnx';
import { dataError, modelError } from '../train-error.ts';

/**
 * `classification`: one logit per class, labels are class numbers. `binary`: one logit, labels are 0
 * and 1. `regression`: numbers.
 */
export type TaskKind = 'classification' | 'binary' | 'regression';

/** Known facts about the labels. */
export type LabelFacts =
  | { readonly are: 'texts'; readonly classes: readonly string[] }
  | {
      readonly are: 'numbers';
      readonly distinct: readonly number[];
      /** Numbers of a row, and their shape. */
      readonly width: number;
      readonly row?: readonly number[];
    };

/** With more distinct integers than this, labels are quantities. */
const MOST_GUESSED_CLASSES = 20;

/**
 * The task that labels and model suggest. The output of a model decides; without a model, a few
 * integers from 0 on are taken for classes.
 * @param outputs numbers per row of the model; `undefined` when the model is to be built.
 */
export function suggestedTask(labels: LabelFacts, outputs: number | undefined): TaskKind {
  if (labels.are === 'texts') {
    return outputs === 1 && labels.classes.length === 2 ? 'binary' : 'classification';
  }
  if (labels.width > 1) return 'regression';
  if (outputs !== undefined) return outputs > 1 ? 'classification' : 'regression';
  const { distinct } = labels;
  const counted =
    distinct.length <= MOST_GUESSED_CLASSES && distinct.every((each, i) => each === i);
  return counted && distinct.length > 1 ? 'classification' : 'regression';
}

export const DEFAULT_LOSS: Readonly<Record<TaskKind, Loss['kind']>> = {
  classification: 'cross-entropy',
  binary: 'binary-cross-entropy',
  regression: 'mean-squared',
};

/** Numbers per row of a network to be built. */
export function outputsFor(task: TaskKind, facts: LabelFacts): number {
  if (task === 'binary') return 1;
  if (task === 'regression') return facts.are === 'numbers' ? facts.width : 1;
  return facts.are === 'texts' ? facts.classes.length : facts.distinct.length;
}

/**
 * Names of the classes. For a given model, numbers are positions in its output, and need not all
 * occur; a network that is built has the classes that occur.
 * @param width numbers per row of the model.
 * @throws TrainError `data`, `model` when labels, task and model do not fit.
 */
export function classesFor(
  task: TaskKind,
  facts: LabelFacts,
  width: number,
  model: 'built' | 'given',
): readonly string[] {
  if (task === 'regression') {
    if (facts.are === 'numbers') return [];
    const some = facts.classes.slice(0, 3).join(', ');
    throw dataError(`A regression predicts numbers, but the labels are ${some} ….`);
  }
  if (task === 'binary' && width !== 1) {
    throw modelError(
      `A binary task has one output, but the model gives ${width}: its task is classification.`,
    );
  }
  const wanted = task === 'binary' ? 2 : width;
  if (facts.are === 'numbers' && model === 'given') {
    return Array.from({ length: wanted }, (_, i) => String(i));
  }
  const found = facts.are === 'texts' ? facts.classes : facts.distinct.map(String);
  const some = `${found.slice(0, 8).join(', ')}${found.length > 8 ? ', …' : ''}`;
  if (found.length < 2) {
    throw dataError(`All labels are '${some}': there is nothing to distinguish.`);
  }
  if (found.length === wanted) return found;
  throw dataError(
    `The labels have ${found.length} classes (${some}), but the model has ${wanted}.`,
  );
}

/**
 * @param axis of the classes, when it is not the one after the batch.
 * @throws TrainError `model` when the loss does not fit the task.
 */
export function lossFor(
  kind: TaskKind,
  loss: Loss | Loss['kind'] | undefined,
  axis?: number,
): Loss {
  const chosen = loss ?? DEFAULT_LOSS[kind];
  const whole: Loss = typeof chosen === 'string' ? { kind: chosen } : chosen;
  const regression = ['mean-squared', 'mean-absolute', 'huber'].includes(whole.kind);
  const fits = kind === 'regression' ? regression : whole.kind === DEFAULT_LOSS[kind];
  if (fits) {
    const placed = whole.kind === 'cross-entropy' && axis !== undefined;
    return placed ? { axis, ...whole } : whole;
  }
  throw modelError(
    `The loss ${whole.kind} does not fit the task ${kind}, which has ${kind === 'regression' ? 'mean-squared, mean-absolute or huber' : DEFAULT_LOSS[kind]}.`,
  );
}

/**
 * Shape of a row of the model's output: [classes] or [numbers]; [classes, …] or [numbers, …] where each
 * place of a row has its own.
 * @throws TrainError `model` when it is not known, or has no axis but the batch.
 */
export function outputRow(model: Model, output: string): readonly number[] {
  const shape: readonly Dimension[] | undefined = inferShapes(model).get(output)?.shape;
  const row = shape?.slice(1) ?? [];
  if (row.length > 0 && row.every((size) => typeof size === 'number')) return row;
  const found =
    shape === undefined ? 'unknown' : `[${shape.map((size) => size ?? '?').join(', ')}]`;
  throw modelError(
    `Output '${output}' has the shape ${found}, but must be [batch, …] with fixed sizes.`,
  );
}

export interface GivenTask {
  readonly task: TaskKind;
  /** Numbers per row, or per place of a row: classes, if it classifies. */
  readonly width: number;
  /** Axis of the classes, when it is not that behind the batch. */
  readonly axis?: number;
}

/**
 * @param row of the model's output.
 * @param wanted the task, when it was given.
 * @throws TrainError `data` when labels fit no task for such an output.
 */
export function givenTask(
  row: readonly number[],
  facts: LabelFacts,
  wanted: TaskKind | undefined,
): GivenTask {
  const [first = 1] = row;
  if (row.length === 1) return { task: wanted ?? suggestedTask(facts, first), width: first };
  const labels = facts.are === 'numbers' ? (facts.row ?? []) : [];
  const same = (other: readonly number[]) =>
    other.length === labels.length && other.every((size, i) => size === labels[i]);
  // Models of images have the classes in front, as in PyTorch, and models of texts behind.
  const axis = [1, row.length].find((each) => same(row.toSpliced(each - 1, 1)));
  const task = wanted ?? (axis === undefined ? 'regression' : 'classification');
  if (task === 'classification' && axis !== undefined) {
    return { task, width: row[axis - 1]!, ...(axis === 1 ? {} : { axis: -1 }) };
  }
  const size = (shape: readonly number[]) => shape.reduce((all, each) => all * each, 1);
  if (task !== 'classification' && size(labels) === size(row)) {
    return { task, width: task === 'binary' ? 1 : size(row) };
  }
  throw dataError(
    `Labels of the shape [rows${labels.map((each) => `, ${each}`).join('')}] do not fit an output of [batch, ${row.join(', ')}]: a regression has labels of that shape, a classification the same without the axis of classes, which is the first or the last.`,
  );
}
