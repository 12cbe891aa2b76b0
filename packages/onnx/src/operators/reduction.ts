/**
 * Reductions. The gradient of a sum goes to every element that was summed; what else a reduction
 * does is a factor per element. A global pooling is a reduction over the spatial axes. Softmax and
 * LogSoftmax stand here because they divide by a sum, and the losses, which have no gradient of their
 * own, because they reduce.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../gradient/rule.ts';
import { axisOf, sameAsInput, type InferenceNode, type InferenceRule } from '../infer/rule.ts';
import type { Size } from '../infer/size.ts';
import { elementCount } from '../tensor/tensor.ts';
import { operationsOf, type Operations } from './elementwise/operations.ts';
import { spatialAxes } from './normalisation/moments.ts';
import { differentiable, inferred, type Operators } from './operator.ts';

interface Terms extends Operations {
  /** Gradient and value of the output, with the reduced axes at size 1. */
  readonly g: string;
  readonly y: string;
  readonly x: string;
  /** Repeats a value along the reduced axes. */
  readonly expand: (value: string) => string;
  /** Sums along the reduced axes, which stay with size 1. */
  readonly sum: (value: string) => string;
  /** How many elements of x each element of `output` was made of. */
  readonly count: (output: string) => string;
  readonly node: GradientNode;
}

const GRADIENTS: Readonly<Record<string, (terms: Terms) => string>> = {
  ReduceSum: ({ g, expand }) => expand(g),
  ReduceMean: ({ g, node, expand, div, count }) => expand(div(g, count(node.outputs[0]!))),
  // Lin, Chen and Yan, 2014
  GlobalAveragePool: ({ g, expand, div, count }) => expand(div(g, count(g))),
  // sign(x)·g: 0 at 0, a subgradient, as in PyTorch
  ReduceL1: ({ g, x, mul, sign }) => mul(sign(x), g),
  // x/y·g; 0 where y is 0, a subgradient, as in PyTorch
  ReduceL2: ({ g, x, y, mul, where, greater, div }) => mul(x, where(greater(y, 0), div(g, y), 0)),
  ReduceSumSquare: ({ g, x, mul }) => mul(x, mul(g, 2)),
  // g/Σx = g·e^(−y)
  ReduceLogSum: ({ g, y, expand, div, exp }) => expand(div(g, exp(y))),
  // The softmax: e^(x − y)·g (Boyd and Vandenberghe, Convex Optimization, §3.1.5)
  ReduceLogSumExp: ({ g, x, y, mul, exp, sub }) => mul(exp(sub(x, y)), g),
  ReduceMax: extremum,
  ReduceMin: extremum,
  GlobalMaxPool: extremum,
};

/**
 * The gradient goes to the largest (or smallest) element, in equal parts where several are: a
 * subgradient, as in PyTorch's amax.
 */
function extremum({ node, g, x, y, mul, div, not, less, greater, castLike, sum }: Terms): string {
  // No element is beyond the extremum; and before opset 11 floats could not be compared by Equal.
  const exceeds = node.opType === 'ReduceMin' ? greater : less;
  const mask = castLike(not(exceeds(x, y)), x);
  return mul(mask, div(g, sum(mask)));
}

function termsOf(node: GradientNode, graph: GradientGraph): Terms {
  const [x, dy, out] = [node.inputs[0]!, node.outputGradients[0]!, node.outputs[0]!];
  const operations = operationsOf(graph);
  const axes = axesOf(node, graph);
  const kept = node.attributeInt('keepdims', 1) !== 0;
  const widened = (name: string) => {
    if (kept) return name;
    return typeof axes === 'string'
      ? graph.emit('Unsqueeze', [name, axes])
      : graph.unsqueeze(name, axes);
  };
  const sum = (value: string) =>
    typeof axes === 'string'
      ? graph.emit('ReduceSum', [value, axes], { keepdims: 1, noop_with_empty_axes: 1 })
      : graph.reduceSum(value, axes, true);
  const count = (output: string) => {
    const sizes = typeof axes === 'string' ? [''] : axes.map((axis) => graph.shapeOf(x)![axis]!);
    if (sizes.every((size) => typeof size === 'number')) {
      return graph.scalar(elementCount(sizes), x);
    }
    const ratio = operations.div(graph.emit('Size', [x]), graph.emit('Size', [output]));
    return operations.castLike(ratio, x);
  };
  const expand = (value: string) => graph.expandLike(value, x);
  return { ...operations, node, g: widened(dy), y: widened(out), x, sum, count, expand };
}

/** Axes; or the name of the list that only exists when the graph runs. */
function axesOf(node: GradientNode, graph: GradientGraph): readonly number[] | string {
  const rank = graph.rankOf(node.inputs[0]!);
  if (node.opType.startsWith('Global')) return spatialAxes(rank);
  return reducedAxes(node, rank) ?? node.inputs[1]!;
}

/** y = eˣ/Σeˣ: dx = y·(dy − Σ y·dy) (Bridle, 1990). */
const Softmax: GradientRule = (node, graph) => {
  const [y, g] = [node.outputs[0]!, node.outputGradients[0]!];
  const { mul, sub } = operationsOf(graph);
  const weighted = mul(y, g);
  return [sub(weighted, mul(y, graph.reduceSum(weighted, softmaxAxes(node, graph), true)))];
};

/** y = x − ln Σeˣ: dx = dy − eʸ·Σ dy, where eʸ is the softmax (Bridle, 1990). */
const LogSoftmax: GradientRule = (node, graph) => {
  const [y, g] = [node.outputs[0]!, node.outputGradients[0]!];
  const { mul, sub, exp } = operationsOf(graph);
  const sum = graph.reduceSum(g, softmaxAxes(node, graph), true);
  return [sub(g, mul(exp(y), sum))];
};

/** One axis since opset 13; before, that axis and all after it. */
function softmaxAxes(node: GradientNode, graph: GradientGraph): readonly number[] {
  if (graph.opset >= 13) return [node.attributeInt('axis', -1)];
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = node.attributeInt('axis', 1);
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

/** The axes that a reduction names, in its attribute or its input; `undefined` when they cannot be known. */
function reducedAxes(node: InferenceNode, rank: number): readonly number[] | undefined {
  const asInput = node.opset >= (node.opType === 'ReduceSum' ? 13 : 18);
  let axes: readonly number[] | undefined;
  if (!asInput) axes = node.attributeInts('axes', []);
  else axes = node.hasInput(1) ? node.ints(1) : [];
  if (axes === undefined) return undefined;
  // Runtimes take a scalar for a list of one.
  if (axes.length > 0) return axes.map((axis) => axisOf(node, axis, Math.max(rank, 1)));
  if (node.attributeInt('noop_with_empty_axes', 0) !== 0) return [];
  return Array.from({ length: rank }, (_, axis) => axis);
}

const inferReduce: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  const keep = node.attributeInt('keepdims', 1) !== 0;
  const axes = reducedAxes(node, shape.length);
  if (axes === undefined) {
    return [{ type, shape: keep ? shape.map((_, axis) => node.unknown(axis)) : undefined }];
  }
  return [{ type, shape: without(shape, axes, keep) }];
};

const inferArgument: InferenceRule = (node) => {
  const { shape } = node.given(0);
  if (shape === undefined) return [{ type: 'int64', shape }];
  const axis = axisOf(node, node.attributeInt('axis', 0), Math.max(shape.length, 1));
  const keep = node.attributeInt('keepdims', 1) !== 0;
  return [{ type: 'int64', shape: without(shape, [axis], keep) }];
};

function without(shape: readonly Size[], axes: readonly number[], keep: boolean): readonly Size[] {
  return keep
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));
}

const inferTopK: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const axis = shape && axisOf(node, node.attributeInt('axis', -1), shape.length);
  const k = node.opset < 10 ? node.attributeInt('k') : node.ints(1)?.[0];
  const result = shape?.map((size, i) => (i === axis ? (k ?? node.unknown(i)) : size));
  return [
    { type, shape: result },
    { type: 'int64', shape: result },
  ];
};

const inferGlobalPool: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  return [{ type, shape: shape?.map((size, axis) => (axis < 2 ? size : 1)) }];
};

/** Scores [batch, classes, …] and labels [batch, …]. */
function lossShape(node: InferenceNode): readonly Size[] | undefined {
  return node.attributeString('reduction', 'mean') === 'none' ? node.given(1).shape : [];
}

export const reduction: Operators = {
  ...differentiable(GRADIENTS, (gradient, name) => ({
    infer: name.startsWith('Global') ? inferGlobalPool : inferReduce,
    gradient: (node, graph) => [gradient(termsOf(node, graph))],
  })),
  ReduceProd: { infer: inferReduce },
  GlobalLpPool: { infer: inferGlobalPool },
  LogSoftmax: { infer: sameAsInput, gradient: LogSoftmax },
  Softmax: { infer: sameAsInput, gradient: Softmax },
  ...inferred('ArgMax ArgMin', inferArgument),
  TopK: { infer: inferTopK },
  NegativeLogLikelihoodLoss: {
    infer: (node) => [{ type: node.given(0).type, shape: lossShape(node) }],
  },
  SoftmaxCrossEntropyLoss: {
    infer: (node) => [{ type: node.given(0).type, shape: lossShape(node) }, ...sameAsInput(node)],
  },
};
