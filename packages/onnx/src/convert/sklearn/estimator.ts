/** The last step of a pipeline: its sums, its link function, and its outputs. */
import { invalidModel } from '../../onnx-error.ts';
import type { Booster } from '../booster.ts';
import { reachedNodes } from '../check-tree.ts';
import { forestNode } from '../forest-node.ts';
import { readUbjson } from '../format/ubjson.ts';
import type { Place } from '../format/value.ts';
import { boosterNodes } from '../graph.ts';
import { MOST_OUTPUTS } from '../limits.ts';
import { readXgboost } from '../xgboost/xgboost.ts';
import { matrixOf, widthOf, type Frame, type Writer } from './frame.ts';
import { product, transform } from './transforms.ts';
import { readForest } from './trees.ts';

/** Trees of the estimator and their nodes; zero for one that has none. */
export interface Size {
  readonly trees: number;
  readonly nodes: number;
}

const NO_TREES: Size = { trees: 0, nodes: 0 };

/** Writes the outputs of the graph. */
export function writeEstimator(writer: Writer, columns: Frame, place: Place): Size {
  const kind = place.at('kind').text();
  if (kind === 'xgboost') return writeXgboost(writer, columns, place);
  const frame = place.at('before').exists
    ? transform(writer, columns, place.at('before'))
    : columns;
  const outputs = place.at('outputs').count(MOST_OUTPUTS);
  if (kind === 'none') {
    if (widthOf(frame) !== outputs) throw place.at('outputs').wrong(`${widthOf(frame)} columns`);
    output(writer, matrixOf(writer, frame), 'transformed', outputs);
    return NO_TREES;
  }
  const sums = Object.hasOwn(SUMS, kind) ? SUMS[kind] : undefined;
  if (sums === undefined) throw place.at('kind').wrong('an estimator');
  const { name, size } = sums(writer, frame, place, outputs);
  writeOutputs(writer, name, place, outputs);
  return size;
}

type Sums = (
  writer: Writer,
  frame: Frame,
  place: Place,
  outputs: number,
) => { readonly name: string; readonly size: Size };

const plus = (writer: Writer, name: string, bias: Place, outputs: number): string =>
  writer.node('Add', [name, writer.numbers(bias.numbers(outputs), [outputs])]);

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  tanh: 'Tanh',
  logistic: 'Sigmoid',
  identity: 'Identity',
};

/** Each gives [batch, outputs] of 64-bit numbers. */
const SUMS: Readonly<Record<string, Sums>> = {
  linear(writer, frame, place, outputs) {
    const name = product(writer, matrixOf(writer, frame), widthOf(frame), outputs, place);
    return { name: plus(writer, name, place.at('bias'), outputs), size: NO_TREES };
  },

  layers(writer, frame, place, outputs) {
    const activation = ACTIVATIONS[place.at('activation').text()];
    if (activation === undefined) throw place.at('activation').wrong('an activation');
    const layers = place.at('layers').list();
    let width = widthOf(frame);
    let name = matrixOf(writer, frame);
    layers.forEach((layer, at) => {
      const next = layer.at('outputs').count(MOST_OUTPUTS);
      name = plus(writer, product(writer, name, width, next, layer), layer.at('bias'), next);
      if (at < layers.length - 1) name = writer.node(activation, [name]);
      width = next;
    });
    if (width !== outputs) throw place.at('layers').wrong(`layers with ${outputs} outputs`);
    return { name, size: NO_TREES };
  },

  /** Logarithm of the likelihood of each class, with the distance of each feature from its mean. */
  gaussian(writer, frame, place, outputs) {
    const width = widthOf(frame);
    const shape = [1, outputs, width];
    const count = outputs * width;
    const rows = writer.node('Unsqueeze', [matrixOf(writer, frame), writer.wholes([1])]);
    const apart = writer.node('Sub', [
      rows,
      writer.numbers(place.at('means').numbers(count), shape),
    ]);
    const squares = writer.node('Mul', [apart, apart]);
    const variances = writer.numbers(place.at('variances').numbers(count), shape);
    const scaled = writer.node('Div', [squares, variances]);
    const sums = writer.node('ReduceSum', [scaled, writer.wholes([2])], { keepdims: 0 });
    const name = writer.node('Mul', [sums, writer.numbers([-0.5], [1])]);
    return { name: plus(writer, name, place.at('bias'), outputs), size: NO_TREES };
  },

  forest(writer, frame, place, outputs) {
    const forest = readForest(place, widthOf(frame), outputs);
    const base = Float64Array.from(place.at('base').numbers(outputs));
    const matrix = matrixOf(writer, frame, 'float32');
    const sums = writer.cast(
      forestNode(writer.graph, matrix, forest, { base, outputs }),
      'float64',
    );
    const divisor = place.at('divide').number();
    const nodes = forest.trees.reduce((count, { test }) => count + test.length, 0);
    return {
      // After the sum: votes of whole numbers are exact.
      name: divisor === 1 ? sums : writer.node('Div', [sums, writer.numbers([divisor], [1])]),
      size: { trees: forest.trees.length, nodes },
    };
  },
};

function writeXgboost(writer: Writer, frame: Frame, place: Place): Size {
  const document = place.at('document').numbers();
  const booster: Booster = readXgboost(readUbjson(Uint8Array.from(document)));
  if (booster.features !== widthOf(frame)) {
    throw invalidModel(`The model reads ${booster.features} features of ${widthOf(frame)}.`);
  }
  const { sum } = booster;
  const trees = sum.kind === 'forest' ? sum.trees : [];
  trees.forEach((tree) => reachedNodes(tree));
  boosterNodes(writer.graph, matrixOf(writer, frame, 'float32'), booster);
  return { trees: trees.length, nodes: trees.reduce((count, { test }) => count + test.length, 0) };
}

function writeOutputs(writer: Writer, sums: string, place: Place, outputs: number): void {
  const predictions = linked(writer, sums, place.at('link'));
  const form = place.at('form').text();
  if (form === 'prediction') {
    output(writer, predictions, 'prediction', outputs);
    return;
  }
  if (form !== 'classes' && form !== 'scores') throw place.at('form').wrong('an output');
  const isBinary = outputs === 1;
  writeLabel(writer, sums, place.at('classes'), outputs);
  if (form === 'scores') output(writer, predictions, 'scores', outputs);
  else if (isBinary) {
    const other = writer.node('Sub', [writer.numbers([1], [1]), predictions]);
    output(writer, writer.node('Concat', [other, predictions], { axis: 1 }), 'probabilities', 2);
  } else output(writer, predictions, 'probabilities', outputs);
}

function linked(writer: Writer, sums: string, link: Place): string {
  if (link.at('slope').exists) {
    const slope = link.at('slope').number();
    const scaled = slope === 1 ? sums : writer.node('Mul', [sums, writer.numbers([slope], [1])]);
    return writer.node('Sigmoid', [scaled]);
  }
  switch (link.text()) {
    case 'identity':
      return sums;
    case 'exp':
      return writer.node('Exp', [sums]);
    case 'softmax':
      return writer.node('Softmax', [sums], { axis: 1 });
    case 'one-vs-rest': {
      const each = writer.node('Sigmoid', [sums]);
      const total = writer.node('ReduceSum', [each, writer.wholes([1])], { keepdims: 1 });
      return writer.node('Div', [each, total]);
    }
    default:
      throw link.wrong('a link function');
  }
}

/** The class of the largest sum; of two classes with one sum, the second where the sum is positive. */
function writeLabel(writer: Writer, sums: string, place: Place, outputs: number): void {
  const classes = outputs === 1 ? 2 : outputs;
  let index: string;
  if (outputs === 1) {
    const above = writer.node('Greater', [sums, writer.numbers([0], [1])]);
    index = writer.node('Squeeze', [writer.cast(above, 'int64'), writer.wholes([1])]);
  } else index = writer.node('ArgMax', [sums], { axis: 1, keepdims: 0 });
  const texts = place.at('texts');
  const type = texts.exists ? 'string' : 'int64';
  const names = classNames(place);
  if (names.length !== classes) throw place.wrong(`${classes} classes`);
  const table = texts.exists ? writer.texts(names) : writer.wholes(place.at('numbers').numbers());
  writer.graph.node('Gather', [table, index], { axis: 0 }, { outputs: ['label'] });
  writer.graph.output('label', type, ['batch']);
}

/** The classes of an estimator as texts. @param place its `classes`. */
export function classNames(place: Place): readonly string[] {
  const texts = place.at('texts');
  if (texts.exists) return texts.list().map((each) => each.text());
  return Array.from(place.at('numbers').numbers(), (each) => {
    if (Number.isSafeInteger(each)) return String(each);
    throw place.at('numbers').wrong('a list of whole numbers');
  });
}

function output(writer: Writer, name: string, as: string, width: number): void {
  writer.graph.node('Cast', [name], { to: 1 }, { outputs: [as] });
  writer.graph.output(as, 'float32', ['batch', width]);
}
