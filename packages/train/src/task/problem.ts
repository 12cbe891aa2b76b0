/**
 * An assembled model and data, prepared for training: rows as tensors by the names of the model's
 * inputs, the loss in the graph, and a report of the model's quality on rows.
 */
import {
  elementCount,
  GraphBuilder,
  inferShapes,
  signatureOf,
  tensor,
  trainableParameters,
  values,
  withGraph,
  withLoss,
  type Loss,
  type LossModel,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { dataError, modelError } from '../train-error.ts';
import { dataset, type Dataset } from '../data/dataset.ts';
import {
  encodeRows,
  type BlockCheck,
  type EncodeOptions,
  type Encoder,
} from '../data/encoding/encoder.ts';
import { isStored, storedNumbers, type StoredRows } from '../data/rows/stored.ts';
import { withBatch } from './batch-axis.ts';
import { blueprintOf, type Blueprint } from './blueprint.ts';
import { arrayLabels } from './labels.ts';
import { trainingModel } from './served-model.ts';
import { lossFor, outputRow } from './task.ts';
import type { TrainingData } from './training-data.ts';

/** Inputs that the loss adds to the model; no exporter writes such names. */
export const LABELS = 'skein/labels';
export const MASK = 'skein/mask';

export interface Problem {
  readonly blueprint: Blueprint;
  readonly loss: Loss;
  /** For batches of one size, with loss, labels and mask. */
  readonly graded: LossModel;
  /** For batches of one size, with the raw prediction as its only output. */
  readonly predicting: Model;
  /** Name of the raw prediction: logits, or numbers in the scale of the compared labels. */
  readonly prediction: string;
}

export interface ProblemOptions {
  /** Rows per batch. */
  readonly batch: number;
  readonly loss?: Loss | Loss['kind'] | undefined;
  /** Names of parameters that training does not change. */
  readonly frozen?: RegExp | undefined;
}

/**
 * @param start what `assemble` gives, or the same as it is served, with the columns as its inputs.
 * @throws TrainError `model` when the loss does not fit the task, or the batch the model.
 * @throws OnnxError when a node cannot be differentiated, or `frozen` matches no parameter, naming it.
 */
export function problemOf(start: Model, options: ProblemOptions): Problem {
  const blueprint = blueprintOf(start);
  if (blueprint === undefined) throw new TypeError('The model was not assembled.');
  const loss = lossFor(blueprint.task, options.loss, blueprint.axis);
  const sized = withBatch(trainingModel(start), options.batch);
  const graded = withLoss(sized, {
    loss,
    prediction: blueprint.prediction,
    target: LABELS,
    weights: 'sample',
    weightName: MASK,
  });
  const type = signatureOf(graded.model).inputs.find(({ name }) => name === MASK)?.type;
  if (type !== 'float32') {
    throw modelError(`The model computes in ${type}, and trains in float32: export it so.`);
  }
  // A missing gradient is reported before everything else is set up.
  trainableParameters(graded, options.frozen === undefined ? [] : [options.frozen]);
  const [prediction] = Object.keys(graded.seeds);
  return {
    blueprint,
    loss,
    graded,
    predicting: withOnlyOutput(sized, prediction!),
    prediction: prediction!,
  };
}

function withOnlyOutput(model: Model, name: string): Model {
  const found = inferShapes(model).get(name);
  const border = new GraphBuilder('prediction');
  border.output(name, found?.type ?? 'float32', found?.shape ?? []);
  return withGraph(model, { output: border.graph().output });
}

/**
 * The rows under the names of the model's inputs, and the labels in the form of the loss.
 * @throws TrainError `data` for rows and labels that do not fit the model, naming the row; every
 * label is checked before training begins.
 * @param loss that compares them, as in `problemOf`; default: the task's.
 * @param how of a table that is not in memory: whether labels are stored too, and a report of the rows that are encoded.
 */
export function rowsFor(
  start: Model,
  data: TrainingData,
  loss?: Loss,
  how: Pick<EncodeOptions, 'storesLabels' | 'onRows'> = {},
): Dataset {
  const blueprint = blueprintOf(start);
  if (blueprint === undefined) throw new TypeError('The model was not assembled.');
  if (data.from === 'table') {
    if (blueprint.table === undefined) {
      throw dataError('The model was trained on arrays, and takes no table.');
    }
    const target = { ...blueprint.table.target, name: data.label };
    const encoder = { ...blueprint.table, target };
    const row = predictionRow(start, blueprint);
    const { tensors, stored } = encodeRows(data.table, encoder, {
      ...how,
      check: finite(encoder),
      labelsOf: (labels) => compared(labels, blueprint, row),
    });
    const find = (name: string) => (tensors.get(name) ?? stored?.get(name))!;
    return dataset({ features: find('features'), [LABELS]: find('labels'), ...weightsOf(data) });
  }
  const inputs = signatureOf(start).inputs;
  const [[first, only] = []] = data.inputs;
  const handlesNaN = start.graph!.node.some(({ opType }) => /^Is(NaN|Inf)$/.test(opType));
  const entries = inputs.map(({ name, type, shape }) => {
    const found = data.inputs.get(name) ?? (inputs.length === 1 ? only : undefined);
    if (found === undefined) {
      const names = [...data.inputs.keys()].join(', ');
      throw dataError(`The data have no array '${name}' for the model, only ${names}.`);
    }
    const fits =
      found.shape.length === shape.length &&
      shape.every(
        (size, axis) => axis === 0 || typeof size !== 'number' || size === found.shape[axis],
      );
    if (fits && found.type === type) {
      if (!handlesNaN) requireFinite(data.inputs.has(name) ? name : first!, found);
      return [name, found] as const;
    }
    const wanted = shape.slice(1).map((size) => size ?? '?');
    throw dataError(
      `Rows of '${name}' are ${found.type} [${found.shape.slice(1).join(', ')}], but the model takes ${type} [${wanted.join(', ')}].`,
    );
  });
  const row = predictionRow(start, blueprint);
  const labels = arrayLabels(data, blueprint, { loss, row });
  return dataset({
    ...Object.fromEntries(entries),
    [LABELS]: compared(labels, blueprint, row),
    ...weightsOf(data),
  });
}

/** A missing value, or one beyond the range of float32, would make every loss NaN, so it is refused here. */
function finite({ features }: Encoder): BlockCheck {
  return (numbers, firstRow) => {
    features.forEach((column, at) => {
      if (column.kind !== 'number') return;
      for (let i = at; i < numbers.length; i += features.length) {
        const value = numbers[i]!;
        if (Number.isFinite(value) || (Number.isNaN(value) && column.fill !== undefined)) continue;
        const row = firstRow + Math.floor(i / features.length);
        throw dataError(
          Number.isNaN(value)
            ? `Row ${row} has no '${column.name}'.`
            : `Row ${row} has a '${column.name}' beyond ±3.4e38, the range of float32.`,
        );
      }
    });
  };
}

/** Largest finite number of float32. */
const LARGEST_FLOAT32 = 2 ** 128 - 2 ** 104;

/**
 * The same for an array, where a row and a column have no names.
 * @throws TrainError `data`.
 */
function requireFinite(name: string, array: NumericTensor | StoredRows): void {
  const { type, shape } = array;
  if (type !== 'float32' && type !== 'float64') return;
  const [count = 0, ...row] = shape;
  const width = elementCount(row);
  const all = isStored(array) ? undefined : values(array);
  const stored = isStored(array) ? storedNumbers(array) : undefined;
  for (let at = 0; at < count; at++) {
    const numbers = stored?.(at) ?? all!;
    const from = stored === undefined ? at * width : 0;
    for (let i = 0; i < width; i++) {
      const value = Number(numbers[from + i]);
      if (Math.abs(value) <= LARGEST_FLOAT32) continue;
      const flaw = Number.isFinite(value) ? `${value}, beyond the range of float32` : String(value);
      throw dataError(`Row ${at} of '${name}' holds ${flaw}${placeIn(row, i)}.`);
    }
  }
}

/** Where an element is in its row. */
function placeIn(row: readonly number[], index: number): string {
  if (row.length === 0) return '';
  if (row.length === 1) return ` in column ${index}`;
  const at = row.map((size, axis) => Math.floor(index / elementCount(row.slice(axis + 1))) % size);
  return ` at [${at.join(', ')}]`;
}

/** Row weights, with which the batches' mask is initialised. */
function weightsOf({ weights }: TrainingData): Readonly<Record<string, NumericTensor>> {
  return weights === undefined ? {} : { [MASK]: tensor('float32', [weights.length], weights) };
}

/** Shape of the prediction for a row. */
function predictionRow(start: Model, { prediction }: Blueprint): readonly number[] {
  return outputRow(start, prediction);
}

/**
 * Labels in the form of the comparison: a number for a logit, or numbers in the scale of the
 * prediction.
 */
function compared(
  labels: NumericTensor,
  { task, scale }: Blueprint,
  row: readonly number[],
): NumericTensor {
  if (task === 'classification') return labels;
  const numbers = values(labels) as ArrayLike<number | bigint>;
  const { mean, deviation } = scale ?? { mean: 0, deviation: 1 };
  const scaled = Float32Array.from(numbers, (value) => (Number(value) - mean) / deviation);
  return tensor('float32', [labels.shape[0]!, ...row], scaled);
}
