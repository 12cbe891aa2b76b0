/** Steps of a pipeline as nodes of the graph, in the order in which scikit-learn computes them. */
import { invalidModel } from '../../onnx-error.ts';
import type { Place } from '../format/value.ts';
import { MOST_FEATURES } from '../limits.ts';
import { encode } from './encode.ts';
import { matrixOf, numberPart, pick, widthOf, type Frame, type Writer } from './frame.ts';

type Step = (writer: Writer, frame: Frame, place: Place) => Frame;

const OPERATORS: Readonly<Record<string, string>> = {
  subtract: 'Sub',
  divide: 'Div',
  multiply: 'Mul',
  add: 'Add',
  most: 'Max',
  least: 'Min',
};

/** Columns that a step may make. */
const MOST_COLUMNS = MOST_FEATURES;

const STEPS: Readonly<Record<string, Step>> = {
  elementwise(writer, frame, place) {
    const width = widthOf(frame);
    let name = matrixOf(writer, frame);
    for (const each of place.at('do').list()) {
      const [operation, numbers] = each.list();
      const operator = OPERATORS[operation?.text() ?? ''];
      if (operator === undefined || numbers === undefined) throw each.wrong('an operation');
      name = writer.node(operator, [name, writer.numbers(numbers.numbers(width), [width])]);
    }
    return [numberPart(name, width)];
  },

  select: (writer, frame, place) => pick(writer, frame, place.at('columns').numbers()),

  branches(writer, frame, place) {
    return place
      .at('branches')
      .list()
      .flatMap((branch) => {
        const own = pick(writer, frame, branch.at('columns').numbers());
        return transform(writer, own, branch.at('steps'));
      });
  },

  impute(writer, frame, place) {
    const width = widthOf(frame);
    const missing = place.at('missing').value;
    if (typeof missing !== 'number') throw place.at('missing').wrong('a number');
    const keep = place.at('keep').numbers();
    const marked = place.at('marked').numbers();
    const all = [numberPart(matrixOf(writer, frame), width)];
    const isMissing = (name: string): string =>
      Number.isNaN(missing)
        ? writer.node('IsNaN', [name])
        : writer.node('Equal', [name, writer.numbers([missing], [1])]);
    const kept = matrixOf(writer, pick(writer, all, keep));
    const fills = writer.numbers(place.at('fills').numbers(keep.length), [keep.length]);
    const filled = numberPart(writer.node('Where', [isMissing(kept), fills, kept]), keep.length);
    if (marked.length === 0) return [filled];
    const flags = writer.cast(isMissing(matrixOf(writer, pick(writer, all, marked))), 'float64');
    return [filled, numberPart(flags, marked.length)];
  },

  'impute-texts'(_writer, frame, place) {
    const fills = place.at('fills').list();
    if (fills.length !== frame.length) throw place.at('fills').wrong('a text per column');
    return frame.map((part, at) => {
      if (part.kind === 'text')
        return part.fill === undefined ? { ...part, fill: fills[at]!.text() } : part;
      throw invalidModel('A step fills texts into columns of numbers.');
    });
  },

  encode,

  normalize(writer, frame, place) {
    const name = matrixOf(writer, frame);
    const size = sizeOf(writer, name, place.at('norm'));
    // scikit-learn leaves a row of zeros as it is.
    const isZero = writer.node('Equal', [size, writer.numbers([0], [1])]);
    const divisor = writer.node('Where', [isZero, writer.numbers([1], [1]), size]);
    return [numberPart(writer.node('Div', [name, divisor]), widthOf(frame))];
  },

  binarize(writer, frame, place) {
    const threshold = writer.numbers([place.at('threshold').number()], [1]);
    const above = writer.node('Greater', [matrixOf(writer, frame), threshold]);
    return [numberPart(writer.cast(above, 'float64'), widthOf(frame))];
  },

  /** Products of columns: the position after the last column stands for 1. */
  products(writer, frame, place) {
    const width = widthOf(frame);
    const degree = place.at('degree').count(100);
    const factors = place.at('factors').numbers();
    const outputs = factors.length / degree;
    if (degree === 0 || !Number.isInteger(outputs)) throw place.wrong('a table of factors');
    const name = matrixOf(writer, frame);
    const first = writer.node('Slice', [
      name,
      writer.wholes([0]),
      writer.wholes([1]),
      writer.wholes([1]),
    ]);
    const zero = writer.node('Mul', [first, writer.numbers([0], [1])]);
    const one = writer.node('Add', [zero, writer.numbers([1], [1])]);
    const extended = [numberPart(name, width), numberPart(one, 1)];
    const columns = Array.from({ length: degree }, (_, at) =>
      matrixOf(writer, pick(writer, extended, factors.subarray(at * outputs, (at + 1) * outputs))),
    );
    return [
      numberPart(
        columns.reduce((left, right) => writer.node('Mul', [left, right])),
        outputs,
      ),
    ];
  },

  project(writer, frame, place) {
    const outputs = place.at('outputs').count(MOST_COLUMNS);
    return [
      numberPart(product(writer, matrixOf(writer, frame), widthOf(frame), outputs, place), outputs),
    ];
  },

  apply(writer, frame, place) {
    const name = place.at('function').text();
    const write = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (write === undefined) throw place.at('function').wrong('a function of NumPy');
    return [numberPart(write(writer, matrixOf(writer, frame)), widthOf(frame))];
  },
};

const plain =
  (operator: string) =>
  (writer: Writer, x: string): string =>
    writer.node(operator, [x]);
const logarithm =
  (base: number) =>
  (writer: Writer, x: string): string =>
    writer.node('Div', [writer.node('Log', [x]), writer.numbers([Math.log(base)], [1])]);

const FUNCTIONS: Readonly<Record<string, (writer: Writer, x: string) => string>> = {
  log: plain('Log'),
  log1p: (writer, x) => writer.node('Log', [writer.node('Add', [x, writer.numbers([1], [1])])]),
  log2: logarithm(2),
  log10: logarithm(10),
  sqrt: plain('Sqrt'),
  exp: plain('Exp'),
  expm1: (writer, x) => writer.node('Sub', [writer.node('Exp', [x]), writer.numbers([1], [1])]),
  absolute: plain('Abs'),
  square: (writer, x) => writer.node('Mul', [x, x]),
  reciprocal: plain('Reciprocal'),
  negative: plain('Neg'),
  sin: plain('Sin'),
  cos: plain('Cos'),
  tanh: plain('Tanh'),
};

function sizeOf(writer: Writer, name: string, norm: Place): string {
  const rows = { axes: [1], keepdims: 1 };
  // ReduceSum takes its axes as an input since version 13.
  const sum = (each: string): string =>
    writer.node('ReduceSum', [each, writer.wholes([1])], { keepdims: 1 });
  switch (norm.text()) {
    case 'l1':
      return sum(writer.node('Abs', [name]));
    case 'l2':
      return writer.node('Sqrt', [sum(writer.node('Mul', [name, name]))]);
    case 'max':
      return writer.node('ReduceMax', [writer.node('Abs', [name])], rows);
    default:
      throw norm.wrong('l1, l2 or max');
  }
}

/** The matrix times the `weights` of the place, [width, outputs]. */
export function product(
  writer: Writer,
  matrix: string,
  width: number,
  outputs: number,
  place: Place,
): string {
  const weights = place.at('weights').numbers(width * outputs);
  return writer.node('MatMul', [matrix, writer.numbers(weights, [width, outputs])]);
}

/** Follows the steps of a list. @throws OnnxError `invalid` for one that is unknown or does not fit. */
export function transform(writer: Writer, frame: Frame, steps: Place): Frame {
  return steps.list().reduce((columns, place) => {
    const name = place.at('op').text();
    const step = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined;
    if (step === undefined) throw place.at('op').wrong('a step');
    const made = step(writer, columns, place);
    if (widthOf(made) > MOST_COLUMNS)
      throw place.wrong(`a step with at most ${MOST_COLUMNS} columns`);
    return made;
  }, frame);
}
