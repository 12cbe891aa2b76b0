/**
 * From a table's raw rows to what a network likes: numbers shifted and scaled to mean 0 and deviation
 * 1, categories one-hot.
 *
 * The encoding is fitted on the training rows only, so that nothing of the others leaks into the
 * model, and it is written into the graph, so that whoever serves the model sends raw rows. Its
 * constants are `Constant` nodes, not initialisers, and so are never trained.
 */
import {
  elementTypeNumber,
  GraphBuilder,
  signatureOf,
  tensor,
  withGraph,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { TrainError } from '../train-error.ts';
import { dataset, type Dataset } from './dataset.ts';
import { columnOf, type Table } from './table.ts';

export interface NumberFeature {
  readonly name: string;
  readonly kind: 'number';
  readonly mean: number;
  /** Standard deviation; 1 for a column that is constant. */
  readonly deviation: number;
}

export interface CategoryFeature {
  readonly name: string;
  readonly kind: 'category';
  readonly categories: readonly string[];
}

export type Feature = NumberFeature | CategoryFeature;

export type Target =
  /** Class i is `classes[i]`. */
  | { readonly name: string; readonly kind: 'category'; readonly classes: readonly string[] }
  | { readonly name: string; readonly kind: 'number' };

export interface Encoder {
  /** In the order of the columns of a raw row. */
  readonly features: readonly Feature[];
  readonly target: Target;
  /** Columns after encoding. */
  readonly width: number;
}

export interface FitOptions {
  /** Column to predict. */
  readonly target: string;
  /** Columns to predict from; default all others. */
  readonly features?: readonly string[];
  /** Rows to fit on: the training rows. */
  readonly rows: ArrayLike<number>;
}

/** @throws TrainError `data` for a column that is not there, or no rows to fit on. */
export function fitEncoder(table: Table, { target, features, rows }: FitOptions): Encoder {
  if (rows.length === 0) throw new TrainError('data', 'There are no rows to fit the encoding on.');
  const names = features ?? table.columns.map(({ name }) => name).filter((name) => name !== target);
  const fitted = names.map((name) => fitFeature(table, name, rows));
  const predicted = columnOf(table, target);
  return {
    features: fitted,
    target:
      predicted.kind === 'number'
        ? { name: target, kind: 'number' }
        : { name: target, kind: 'category', classes: predicted.categories },
    width: fitted.reduce(
      (sum, each) => sum + (each.kind === 'number' ? 1 : each.categories.length),
      0,
    ),
  };
}

/** Two passes, because the difference of large sums of squares would lose all digits. */
function fitFeature(table: Table, name: string, rows: ArrayLike<number>): Feature {
  const column = columnOf(table, name);
  if (column.kind === 'category') {
    const seen = new Set<number>();
    for (let i = 0; i < rows.length; i++) seen.add(column.codes[rows[i]!]!);
    const categories = column.categories.filter((_, code) => seen.has(code));
    return { name, kind: 'category', categories };
  }
  let mean = 0;
  for (let i = 0; i < rows.length; i++) mean += column.values[rows[i]!]! / rows.length;
  let variance = 0;
  for (let i = 0; i < rows.length; i++)
    variance += (column.values[rows[i]!]! - mean) ** 2 / rows.length;
  const deviation = Math.sqrt(variance);
  // Below this a deviation is what rounding made of a constant.
  const constant = deviation <= Math.abs(mean) * 1e-12;
  return { name, kind: 'number', mean, deviation: constant ? 1 : deviation };
}

/**
 * Raw rows as `features`, float32 [rows, features], a category being its position; and the target as `labels`:
 * int64 [rows] for classes, float32 [rows, 1] for numbers. A category that was not in the training
 * rows gets the next position after the last, and is encoded as all zeros.
 *
 * @throws TrainError `data` for a missing column, a column of another type, or a class that the
 *   encoder does not know, naming the row.
 */
export function encodeRows(table: Table, encoder: Encoder): Dataset {
  const { features, target } = encoder;
  const x = new Float32Array(table.count * features.length);
  features.forEach((feature, position) => {
    const numbers = numbersOf(table, feature);
    for (let row = 0; row < table.count; row++) x[row * features.length + position] = numbers(row);
  });
  const shape = [table.count, features.length];
  return dataset({ features: tensor('float32', shape, x), labels: targetOf(table, target) });
}

function numbersOf(table: Table, feature: Feature): (row: number) => number {
  const column = columnOf(table, feature.name);
  if (column.kind !== feature.kind) {
    throw new TrainError(
      'data',
      `Column '${feature.name}' holds ${column.kind === 'number' ? 'numbers' : 'categories'}, but held ${feature.kind === 'number' ? 'numbers' : 'categories'} when the encoding was fitted.`,
    );
  }
  if (column.kind === 'number' || feature.kind === 'number') {
    return (row) => (column.kind === 'number' ? column.values[row]! : NaN);
  }
  const positions = column.categories.map((each) => {
    const position = feature.categories.indexOf(each);
    return position < 0 ? feature.categories.length : position;
  });
  return (row) => positions[column.codes[row]!]!;
}

function targetOf(table: Table, target: Target) {
  const column = columnOf(table, target.name);
  if (target.kind === 'number') {
    if (column.kind !== 'number') {
      throw new TrainError(
        'data',
        `Column '${target.name}' must hold numbers to be predicted as one.`,
      );
    }
    return tensor('float32', [table.count, 1], Float32Array.from(column.values));
  }
  const classOf = (row: number) => {
    const text =
      column.kind === 'number'
        ? String(column.values[row])
        : column.categories[column.codes[row]!]!;
    const position = target.classes.indexOf(text);
    if (position < 0) {
      throw new TrainError(
        'data',
        `Row ${row} has the class '${text}', which is none of ${target.classes.join(', ')}.`,
      );
    }
    return BigInt(position);
  };
  return tensor(
    'int64',
    [table.count],
    BigInt64Array.from({ length: table.count }, (_, row) => classOf(row)),
  );
}

/**
 * The model with the encoding before it: it takes `features`, raw rows [batch, features], instead of
 * the encoded ones.
 *
 * @param input name of the model's input, float32 [batch, width].
 * @throws TrainError `model` when the input is not there or of another width.
 */
export function withEncoder(model: Model, encoder: Encoder, input: string): Model {
  const spec = signatureOf(model).inputs.find(({ name }) => name === input);
  if (spec === undefined) throw new TrainError('model', `The model has no input '${input}'.`);
  const [batch = null, width] = spec.shape;
  if (spec.type !== 'float32' || spec.shape.length !== 2 || width !== encoder.width) {
    throw new TrainError(
      'model',
      `Input '${input}' is ${spec.type} [${spec.shape.join(', ')}], but the encoding makes float32 [batch, ${encoder.width}].`,
    );
  }
  const builder = new GraphBuilder('encoder');
  builder.input('features', 'float32', [batch, encoder.features.length]);
  emitEncoding(builder, encoder, input);
  const border = builder.graph();
  const graph = model.graph!;
  return withGraph(model, {
    node: [...border.node, ...graph.node],
    input: [...border.input, ...graph.input.filter(({ name }) => name !== input)],
  });
}

function emitEncoding(builder: GraphBuilder, { features }: Encoder, output: string): void {
  const emit = (operator: string, inputs: readonly string[], attributes = {}, name?: string) => {
    const outputs = name === undefined ? {} : { outputs: [name] };
    const label = `encoder/${operator}_${builder.graph().node.length}`;
    return builder.node(operator, inputs, attributes, { name: label, ...outputs })[0];
  };
  const constant = (value: NumericTensor) => emit('Constant', [], { value });
  const floats = (numbers: readonly number[]) =>
    constant(tensor('float32', [numbers.length], new Float32Array(numbers)));
  const blocks: string[] = [];
  for (let at = 0; at < features.length;) {
    // Neighbouring numbers are encoded together.
    const numbers = leadingNumbers(features.slice(at));
    if (numbers.length > 0) {
      const columns = Array.from({ length: numbers.length }, (_, i) => BigInt(at + i));
      const picked =
        numbers.length === features.length
          ? 'features'
          : emit(
              'Gather',
              [
                'features',
                constant(tensor('int64', [columns.length], BigInt64Array.from(columns))),
              ],
              { axis: 1 },
            );
      const shifted = emit('Sub', [picked, floats(numbers.map(({ mean }) => mean))]);
      blocks.push(emit('Div', [shifted, floats(numbers.map(({ deviation }) => deviation))]));
      at += numbers.length;
      continue;
    }
    const { categories } = features[at] as CategoryFeature;
    const index = constant(tensor('int64', [], BigInt64Array.of(BigInt(at))));
    const codes = emit('Cast', [emit('Gather', ['features', index], { axis: 1 })], {
      to: elementTypeNumber('int64'),
    });
    const depth = constant(tensor('int64', [], BigInt64Array.of(BigInt(categories.length))));
    blocks.push(emit('OneHot', [codes, depth, floats([0, 1])], { axis: -1 }));
    at++;
  }
  emit('Concat', blocks, { axis: 1 }, output);
}

function leadingNumbers(features: readonly Feature[]): readonly NumberFeature[] {
  const end = features.findIndex(({ kind }) => kind !== 'number');
  return (end < 0 ? features : features.slice(0, end)) as readonly NumberFeature[];
}
