/**
 * Which values of a graph belong to single examples: one axis counts the examples of the batch (as
 * axis 0 it may hold k rows of each, one after the other), and no number depends on two examples.
 *
 * Private training needs a proof, not a likelihood, so a node that this table does not know for sure
 * ends the search with its name, and the caller takes examples one by one.
 */
import type { NodeProto } from 'onnx-buf';
import { elementTypeOf } from '../tensor/element-type.ts';
import { InferredNode, type Inference } from '../infer/inference.ts';
import { isStatic } from '../infer/size.ts';
import type { Model } from '../model/model.ts';
import { readsOf, subgraphsOf, titleOf } from '../model/node-view.ts';

/** The axis that counts examples, by value; values of no example are absent. */
export type ExampleAxes = ReadonlyMap<string, number>;

/**
 * @param inputs of the model whose axis 0 is the batch.
 * @param until the values that matter: nodes that lead to none of them are not checked.
 * @returns the axes, or the title of the first node without a rule.
 */
export function exampleAxes(
  model: Model,
  inference: Inference,
  inputs: readonly string[],
  until: ReadonlySet<string>,
): ExampleAxes | string {
  const axes = new Map(inputs.map((name) => [name, 0]));
  const batch = sizesOf(inference, inputs[0]!)?.[0];
  if (batch === undefined) return `The input '${inputs[0]}', whose batch has no fixed size,`;
  const needed = upstreamOf(model, until);
  for (const proto of model.graph!.node) {
    if (!needed.has(proto) || !readsOf(proto).some((name) => axes.has(name))) continue;
    // The shape of a batch of fixed size is a constant.
    if (proto.opType === 'Shape' || proto.opType === 'Size') continue;
    const isStandard = proto.domain === '' || proto.domain === 'ai.onnx';
    const rule = isStandard && subgraphsOf(proto).length === 0 ? RULES[proto.opType] : undefined;
    const axis = rule?.(new KnownNode(proto, inference, axes));
    if (axis === undefined) return titleOf(proto);
    for (const name of proto.output) {
      if (name === '') continue;
      const size = sizesOf(inference, name)?.[axis];
      const fits = size !== undefined && (axis === 0 ? size % batch === 0 : size === batch);
      if (!fits) return titleOf(proto);
      axes.set(name, axis);
    }
  }
  return axes;
}

/** The axis of the outputs, where it is known that examples stay apart. */
type Rule = (node: KnownNode) => number | undefined;

class KnownNode extends InferredNode {
  readonly #inference: Inference;
  readonly #axes: ExampleAxes;

  constructor(proto: NodeProto, inference: Inference, axes: ExampleAxes) {
    super(proto, inference);
    this.#inference = inference;
    this.#axes = axes;
  }

  /** The axis of an input that belongs to examples. */
  axis(index: number): number | undefined {
    return this.#axes.get(this.inputs[index] ?? '');
  }

  /** Positions of the inputs that belong to examples. */
  carried(): readonly number[] {
    return [...this.inputs.keys()].filter((i) => this.axis(i) !== undefined);
  }

  /** The axis of the first input, if the others belong to no example. */
  only(): number | undefined {
    return String(this.carried()) === '0' ? this.axis(0) : undefined;
  }

  sizes(name: string): readonly number[] | undefined {
    return sizesOf(this.#inference, name);
  }

  rank(index: number): number {
    return this.sizes(this.inputs[index]!)?.length ?? 0;
  }

  /** Axes from an attribute or an input, counted from the front of a rank. */
  list(input: number, rank: number, attribute = 'axes'): readonly number[] | undefined {
    const found = this.has(attribute) ? this.attributeInts(attribute) : this.ints(input);
    return found?.map((axis) => (axis < 0 ? axis + rank : axis));
  }

  along(absent: number): number {
    const axis = this.attributeInt('axis', absent);
    return axis < 0 ? axis + this.rank(0) : axis;
  }
}

/** Element by element: examples lie at the same place of the result, and nothing else varies there. */
const elementwise: Rule = (node) => {
  const result = node.sizes(node.outputs[0]!);
  if (result === undefined) return undefined;
  const places = new Set(node.carried().map((i) => node.axis(i)! + result.length - node.rank(i)));
  const [place] = places;
  if (places.size !== 1) return undefined;
  const apart = node.inputs.every((name, i) => {
    if (name === '') return true;
    const size = node.sizes(name)?.[place! - (result.length - node.rank(i))];
    return node.axis(i) === undefined ? size === undefined || size === 1 : size === result[place!];
  });
  return apart ? place : undefined;
};

/**
 * Integers that follow from numbers of an example may be no index of anything, which would end the run for the
 * whole batch.
 */
const cast: Rule = (node) => {
  const isNumber = /float/.test(node.given(0).type);
  const isInteger = /int/.test(elementTypeOf(node.attributeInt('to')) ?? '');
  return isNumber && isInteger ? undefined : elementwise(node);
};

/** Rows or stacks of matrices of examples, times a matrix of none or a stack of the same. */
const matmul: Rule = (node) => {
  const [a, b] = [node.axis(0), node.axis(1)];
  const [left, right] = [node.rank(0), node.rank(1)];
  if (a === undefined || left < 2 || a === left - 1) return undefined;
  if (b === undefined) return right <= 2 || a < left - right ? a : undefined;
  return a === b && left === right && a < left - 2 ? a : undefined;
};

const gemm: Rule = (node) =>
  node.only() === 0 && node.attributeInt('transA', 0) === 0 ? 0 : undefined;

/** Convolutions and pools: the first axis counts images. */
const images: Rule = (node) => (node.only() === 0 ? 0 : undefined);

/** Numbers of an example stay together where axis 0 stays a multiple of the batch, row by row. */
const reshape: Rule = images;

const another =
  (absent: number): Rule =>
  (node) =>
    node.only() === node.along(absent) ? undefined : node.only();

const flatten: Rule = (node) => (node.only() === 0 && node.along(1) >= 1 ? 0 : undefined);

/** Softmax over one axis since opset 13, before over all from an axis on. */
const softmax: Rule = (node) => {
  const [own, axis] = [node.only(), node.along(node.opset < 13 ? 1 : -1)];
  return own !== undefined && (own < axis || (node.opset >= 13 && own !== axis)) ? own : undefined;
};

const layerNormalization: Rule = (node) => {
  const own = node.only();
  return own !== undefined && own < node.along(-1) ? own : undefined;
};

const reduction: Rule = (node) => {
  const [own, axes] = [node.only(), node.list(1, node.rank(0))];
  if (own === undefined || axes === undefined || axes.length === 0 || axes.includes(own)) {
    return undefined;
  }
  if (node.opType !== 'Squeeze' && node.attributeInt('keepdims', 1) !== 0) return own;
  return own - axes.filter((axis) => axis < own).length;
};

const unsqueeze: Rule = (node) => {
  const own = node.only();
  const axes = node.list(1, node.sizes(node.outputs[0]!)?.length ?? 0);
  if (own === undefined || axes === undefined) return undefined;
  let place = own;
  for (const axis of axes.toSorted((a, b) => a - b)) if (axis <= place) place++;
  return place;
};

const transpose: Rule = (node) => {
  const own = node.only();
  const place = own === undefined ? -1 : node.attributeInts('perm', []).indexOf(own);
  return place < 0 ? undefined : place;
};

const gather: Rule = (node) => {
  const axis = node.along(0);
  const [data, indices] = [node.axis(0), node.axis(1)];
  if (data === undefined) return indices === 0 && axis === 0 ? 0 : undefined;
  if (indices !== undefined || data === axis) return undefined;
  return data < axis ? data : data - 1 + node.rank(1);
};

const concat: Rule = (node) => {
  const axes = new Set(node.inputs.map((_, i) => node.axis(i)));
  const [own] = axes;
  return axes.size === 1 && own !== undefined && own !== node.along(0) ? own : undefined;
};

const slice: Rule = (node) => {
  const own = node.only();
  const axes = node.list(3, node.rank(0)) ?? [0, own!];
  return own === undefined || axes.includes(own) ? undefined : own;
};

const pad: Rule = (node) => {
  const [own, rank] = [node.only(), node.rank(0)];
  const pads = node.has('pads') ? node.attributeInts('pads') : node.ints(1);
  if (own === undefined || pads === undefined || node.inputs.length > 3) return undefined;
  return pads[own] === 0 && pads[own + rank] === 0 ? own : undefined;
};

/** In inference form: its statistics are constants. */
const batchNormalization: Rule = (node) =>
  node.only() === 0 && node.attributeInt('training_mode', 0) === 0 ? 0 : undefined;

const named = (names: string, rule: Rule): Readonly<Record<string, Rule>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, rule]));

const RULES: Readonly<Record<string, Rule>> = {
  ...named(
    'Add Sub Mul Div Sum Mean Max Min Pow Neg Abs Sqrt Reciprocal Exp Log Erf Sign',
    elementwise,
  ),
  ...named('Relu LeakyRelu Elu Selu Celu PRelu Sigmoid HardSigmoid HardSwish Mish', elementwise),
  ...named('Tanh Softplus Softsign Gelu Clip Floor Ceil Round Sin Cos Identity', elementwise),
  ...named('Where Equal Greater Less GreaterOrEqual LessOrEqual Not And Or', elementwise),
  ...named('Conv MaxPool AveragePool GlobalAveragePool GlobalMaxPool', images),
  ...named('ReduceSum ReduceMean ReduceMax ReduceMin ReduceL2 Squeeze', reduction),
  ...named('Softmax LogSoftmax', softmax),
  Cast: cast,
  Reshape: reshape,
  LayerNormalization: layerNormalization,
  Flatten: flatten,
  Split: another(0),
  MatMul: matmul,
  Gemm: gemm,
  Gather: gather,
  Concat: concat,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Slice: slice,
  Pad: pad,
  BatchNormalization: batchNormalization,
};

function sizesOf(inference: Inference, name: string): readonly number[] | undefined {
  const shape = inference.of(name)?.shape;
  return isStatic(shape) ? shape : undefined;
}

function upstreamOf(model: Model, ends: ReadonlySet<string>): ReadonlySet<unknown> {
  const wanted = new Set(ends);
  const found = new Set<unknown>();
  for (const node of model.graph!.node.toReversed()) {
    if (!node.output.some((name) => wanted.has(name))) continue;
    found.add(node);
    for (const name of readsOf(node)) wanted.add(name);
  }
  return found;
}
