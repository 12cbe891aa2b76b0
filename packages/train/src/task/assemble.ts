/**
 * From a network to the model that is trained and served: encoding of raw rows → network → readable
 * outputs. All of it is in one graph before the first step, so that training changes only weights.
 */
import { elementCount, liftConstants, signatureOf, values, type Model } from '@skein/onnx';
import { dataError, modelError } from '../train-error.ts';
import {
  fitArrayEncoding,
  withArrayEncoding,
  type ArrayScaling,
} from '../data/encoding/array-encoding.ts';
import { fitEncoder, type Encoder } from '../data/encoding/encoder.ts';
import { withEncoder } from '../data/encoding/encoding-graph.ts';
import { momentsOf, momentsOfColumns } from '../data/encoding/moments.ts';
import { rowSet, type RowSet } from '../data/rows/row-set.ts';
import { trainingModel } from './served-model.ts';
import { columnOf } from '../data/table/table.ts';
import { blueprintOf, withBlueprint, type Blueprint, type LabelScale } from './blueprint.ts';
import { withHead } from './head.ts';
import {
  classesFor,
  givenTask,
  outputRow,
  outputsFor,
  suggestedTask,
  type TaskKind,
} from './task.ts';
import { labelFacts, type TrainingData } from './training-data.ts';

/** Inputs and outputs of a network to be built. */
export interface NetworkShape {
  /** Numbers of one row after encoding. */
  readonly inputs: number;
  /** Shape of one row, where the data are an array; else [inputs]. */
  readonly row: readonly number[];
  /** Logits, or predicted numbers. */
  readonly outputs: number;
  readonly seed: number;
}

/** Makes a model with one input [batch, inputs], or [batch, …row], and one output [batch, outputs] of logits or numbers. */
export type NetworkBuilder = (shape: NetworkShape) => Model;

export interface AssembleOptions {
  readonly model: Model | NetworkBuilder;
  readonly data: TrainingData;
  /** The training rows, on which the encoding is fitted. */
  readonly rows: ArrayLike<number> | RowSet;
  readonly seed: number;
  /** Default: the task that labels and model suggest. */
  readonly task?: TaskKind | undefined;
  /** Default: `standard` for tables, `unit` for bytes, `none` for other arrays. */
  readonly scaling?: ArrayScaling | undefined;
  /** Whether the labels are shares of classes, [rows, classes]. */
  readonly soft?: boolean;
  /** `mean` lets the model take rows with missing values. */
  readonly missing?: 'mean' | undefined;
  /** Called while the encoding of a table is fitted, with how much is done, from 0 to 1. */
  readonly onShare?: ((share: number) => void) | undefined;
}

/**
 * Assembles a model that takes raw rows, in which a category is its position, and stores its
 * blueprint. A model with a blueprint is used unchanged.
 * @throws TrainError `data`, `model` when data and model do not fit.
 */
export function assemble(options: AssembleOptions): Model {
  const { model, data } = options;
  const facts = labelFacts(data, options.soft);
  if (typeof model === 'function') {
    const task = options.task ?? suggestedTask(facts, undefined);
    const outputs = outputsFor(task, facts);
    const classes = classesFor(task, facts, outputs, 'built');
    const fitted = data.from === 'table' ? fittedOn(options) : undefined;
    const network = model({ ...inputsOf(options, fitted), outputs, seed: options.seed });
    const headed = withHead(network, { task, classes }, labelScale(options));
    return withEncoding(headed.model, headed.blueprint, options, fitted);
  }
  if (blueprintOf(model) !== undefined) return trainingModel(model);
  const network = liftConstants(model);
  const [output] = signatureOf(network).outputs;
  if (output === undefined) throw modelError('The model has no output.');
  const { task, width, axis } = givenTask(outputRow(network, output.name), facts, options.task);
  const classes = classesFor(task, facts, width, 'given');
  const placed = axis === undefined ? {} : { axis };
  return withEncoding(network, { task, classes, prediction: output.name, ...placed }, options);
}

/** @param fitted the encoder of a table, where it is known. */
function withEncoding(
  model: Model,
  blueprint: Blueprint,
  options: AssembleOptions,
  fitted?: Encoder,
): Model {
  const { data, rows } = options;
  const { inputs } = signatureOf(model);
  const [input, second] = inputs;
  if (data.from === 'table') {
    if (input === undefined || second !== undefined) {
      const names = inputs.map(({ name }) => name).join(', ');
      throw modelError(`A table feeds one input, but the model has ${names}.`);
    }
    const { label: name } = data;
    const { task, classes } = blueprint;
    const table: Encoder = {
      ...(fitted ?? fittedOn(options)),
      target:
        task === 'regression' ? { name, kind: 'number' } : { name, kind: 'category', classes },
    };
    return withBlueprint(withEncoder(model, table, input.name), { ...blueprint, table });
  }
  const [only] = data.inputs.values();
  // Several arrays are the model's inputs by name, without an encoding.
  if (data.inputs.size !== 1 || input === undefined || second !== undefined || only === undefined) {
    if (options.scaling !== undefined && options.scaling !== 'none') {
      throw dataError(
        `The scaling ${options.scaling} is for one array; several arrays are the inputs of the model as they are.`,
      );
    }
    return withBlueprint(model, blueprint);
  }
  const scaling = options.scaling ?? (only.type === 'uint8' ? 'unit' : 'none');
  const arrays = fitArrayEncoding(only, { scaling, rows });
  const asItIs =
    scaling === 'none' &&
    input.type === only.type &&
    input.shape.length === only.shape.length &&
    input.shape.slice(1).every((size, i) => size === arrays.shape[i]);
  if (asItIs) return withBlueprint(model, blueprint);
  return withBlueprint(withArrayEncoding(model, arrays, input.name), { ...blueprint, arrays });
}

/** Fits the encoder of a table, for a target of any kind. */
function fittedOn({
  data,
  rows,
  missing,
  scaling = 'standard',
  onShare,
}: AssembleOptions): Encoder {
  if (data.from !== 'table') throw new TypeError('Only a table has columns.');
  if (scaling === 'unit') {
    throw dataError('The scaling unit is for bytes; a table has standard or none.');
  }
  const { table, label, features, dates } = data;
  const target = { name: label, kind: 'number' } as const;
  return fitEncoder(table, { target, features, dates, rows, numbers: scaling, missing, onShare });
}

function inputsOf(
  { data }: AssembleOptions,
  fitted: Encoder | undefined,
): Pick<NetworkShape, 'inputs' | 'row'> {
  if (fitted !== undefined) return { inputs: fitted.width, row: [fitted.width] };
  if (data.from === 'table') throw new TypeError('The columns are not fitted.');
  const [first, second] = data.inputs.values();
  if (first === undefined || second !== undefined) {
    throw modelError('A network is built for one array; give a model for several.');
  }
  const row = first.shape.slice(1);
  return { inputs: elementCount(row), row };
}

function labelScale({ data, rows: given }: AssembleOptions): LabelScale {
  const rows = 'within' in given ? given : rowSet(given);
  const identity = { mean: 0, deviation: 1 };
  if (data.from === 'arrays') {
    const width = elementCount(data.labels.shape.slice(1));
    return momentsOf(values(data.labels), rows, width) ?? identity;
  }
  const column = columnOf(data.table, data.label);
  return (column.kind === 'number' ? momentsOfColumns([column], rows)[0] : undefined) ?? identity;
}
