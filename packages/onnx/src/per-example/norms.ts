/**
 * The squared norm of the gradient of each example by one parameter, from the input of the layer and
 * the gradient of its output, without the gradients of single examples where that is cheaper.
 *
 * A matrix that multiplies rows has per example Aᵀ·G with A [rows, in] and G [rows, out]: these are
 * its *factors*. With one row ‖Aᵀ·G‖² = ‖a‖²·‖g‖² (Goodfellow, "Efficient Per-Example Gradient
 * Computations", 2015). With several it is Σ (A·Aᵀ) ⊙ (G·Gᵀ), the Gram form (Li et al., "Large
 * Language Models Can Be Strong Differentially Private Learners", ICLR 2022, §4), or the product
 * itself where that is smaller (Bu, Mao and Xu, "Scalable and Efficient Training of Large
 * Convolutional Neural Networks with Differential Privacy", NeurIPS 2022). Factors of a tied
 * parameter are joined along the rows.
 */
import { elementTypeNumber } from '../tensor/element-type.ts';
import type { ElementType } from '../tensor/tensor.ts';
import type { GradientGraph, GradientNode } from '../gradient/rule.ts';
import { float } from '../model/attribute.ts';
import { padZeros } from '../operators/layout/slicing.ts';
import { tapSlices } from '../operators/windows/conv-weight.ts';
import { kernelOf, spatialSizes, windowOf } from '../operators/windows/window.ts';

/** Part of one use of a parameter in the gradient of each example. */
export type Contribution =
  /** Aᵀ·G, with `left` [batch, rows, in] and `right` [batch, rows, out], or both without rows where there is one. */
  | { readonly kind: 'factors'; readonly left: string; readonly right: string }
  /** Like factors, where row t of A is 1 at `indices` [batch, rows] and 0 elsewhere, [rows, size]. */
  | {
      readonly kind: 'rows';
      readonly indices: string;
      readonly size: number;
      readonly right: string;
    }
  /** The gradient itself, [batch, numbers]. */
  | { readonly kind: 'direct'; readonly value: string };

export interface Use {
  readonly node: GradientNode;
  /** Position of the parameter among the node's inputs. */
  readonly input: number;
  readonly batch: number;
}

type ContributionRule = (use: Use, graph: GradientGraph) => Contribution | undefined;

/** The contribution of a use, or undefined where none is known. */
export function contributionOf(use: Use, graph: GradientGraph): Contribution | undefined {
  return RULES[use.node.opType]?.(use, graph);
}

/** Squared norms [batch] of the sum of all contributions to one parameter. */
export function squaredNorms(
  contributions: readonly Contribution[],
  batch: number,
  graph: GradientGraph,
): string {
  const [only] = contributions;
  if (contributions.length === 1 && only!.kind === 'rows') return normsOfRows(only!, graph);
  const spelled = contributions.map((each) => (each.kind === 'rows' ? oneHot(each, graph) : each));
  const factors = spelled.filter((each) => each.kind === 'factors');
  if (factors.length === spelled.length) {
    const join = (names: readonly string[]): string =>
      names.length === 1
        ? names[0]!
        : graph.concat(
            names.map((name) => cube(name, graph)),
            1,
          );
    return normsOfFactors(
      join(factors.map(({ left }) => left)),
      join(factors.map(({ right }) => right)),
      graph,
    );
  }
  const flat = spelled.map((each) =>
    each.kind === 'factors'
      ? flattened(product(each.left, each.right, graph), batch, graph)
      : each.value,
  );
  return squares(flat.length === 1 ? flat[0]! : graph.emit('Sum', flat), graph);
}

function normsOfFactors(left: string, right: string, graph: GradientGraph): string {
  if (graph.rankOf(left) === 2) {
    return graph.emit('Mul', [squares(left, graph), squares(right, graph)]);
  }
  const [batch, rows, inputs] = sizes(left, graph) as [number, number, number];
  const outputs = sizes(right, graph)[2]!;
  if (2 * rows * rows >= inputs * outputs) {
    return squares(flattened(product(left, right, graph), batch, graph), graph);
  }
  return sumOfProducts(gram(left, graph), gram(right, graph), graph.typeOf(left), graph);
}

/** Rows with the same index meet in the same row of the table. */
function normsOfRows(
  { indices, right }: Extract<Contribution, { kind: 'rows' }>,
  graph: GradientGraph,
): string {
  const [batch, rows] = sizes(indices, graph) as [number, number];
  if (rows === 1) return squares(flattened(right, batch, graph), graph);
  const same = graph.emit('Equal', [graph.unsqueeze(indices, [1]), graph.unsqueeze(indices, [2])]);
  return sumOfProducts(inDouble(same, graph), gram(right, graph), graph.typeOf(right), graph);
}

function oneHot(
  { indices, size, right }: Extract<Contribution, { kind: 'rows' }>,
  graph: GradientGraph,
): Extract<Contribution, { kind: 'factors' }> {
  const places = graph.ints(Array.from({ length: size }, (_, i) => i));
  const same = graph.emit('Equal', [graph.unsqueeze(indices, [2]), places]);
  const to = elementTypeNumber(graph.typeOf(right));
  return { kind: 'factors', left: graph.emit('Cast', [same], { to }), right };
}

/** Aᵀ·G of each example, [batch, in, out]. */
function product(left: string, right: string, graph: GradientGraph): string {
  const turned = graph.emit('Transpose', [cube(left, graph)], { perm: [0, 2, 1] });
  return graph.emit('MatMul', [turned, cube(right, graph)]);
}

/**
 * A·Aᵀ of each example, [batch, rows, rows], in float64: rows of large numbers, such as years, may have
 * gradients that cancel. float32 would leave only their rounding errors, below 0 as well.
 */
function gram(value: string, graph: GradientGraph): string {
  const wide = inDouble(value, graph);
  return graph.emit('MatMul', [wide, graph.emit('Transpose', [wide], { perm: [0, 2, 1] })]);
}

function sumOfProducts(a: string, b: string, type: ElementType, graph: GradientGraph): string {
  const sum = graph.reduceSum(graph.emit('Mul', [a, b]), [1, 2], false);
  // A sum that is 0 may come out a little below.
  const squared = graph.emit('Max', [sum, graph.scalar(0, sum)]);
  return graph.emit('Cast', [squared], { to: elementTypeNumber(type) });
}

function inDouble(value: string, graph: GradientGraph): string {
  return graph.emit('Cast', [value], { to: elementTypeNumber('float64') });
}

/** Σ of the squares of each row of [batch, numbers]. ONNX Runtime takes almost twice as long for `ReduceSumSquare`. */
function squares(value: string, graph: GradientGraph): string {
  return graph.reduceSum(graph.emit('Mul', [value, value]), [1], false);
}

function flattened(value: string, batch: number, graph: GradientGraph): string {
  return graph.rankOf(value) === 2 ? value : graph.reshape(value, [batch, -1]);
}

/** [batch · k, …, width] → [batch, rows, width]; one row per example stays [batch, width]. */
function asRows(value: string, batch: number, graph: GradientGraph): string {
  const shape = sizes(value, graph);
  if (shape.length === 2 && shape[0] === batch) return value;
  return graph.reshape(value, [batch, -1, shape.at(-1)!]);
}

/** With an axis of rows, where there is one row. */
function cube(value: string, graph: GradientGraph): string {
  return graph.rankOf(value) === 2 ? graph.unsqueeze(value, [1]) : value;
}

function sizes(value: string, graph: GradientGraph): readonly number[] {
  const shape = graph.shapeOf(value);
  if (!shape?.every((size) => typeof size === 'number')) {
    return graph.fail('its sizes are not fixed');
  }
  return shape;
}

function scaled(value: string, factor: number, graph: GradientGraph): string {
  return factor === 1 ? value : graph.emit('Mul', [value, graph.scalar(factor, value)]);
}

/** A weight that multiplies rows from the right. */
const matmul: ContributionRule = ({ node, input, batch }, graph) => {
  const [a, w] = node.inputs as [string, string];
  if (input !== 1 || graph.rankOf(w) !== 2) return undefined;
  const g = node.outputGradients[0]!;
  return { kind: 'factors', left: asRows(a, batch, graph), right: asRows(g, batch, graph) };
};

const gemm: ContributionRule = (use, graph) => {
  const { node, input, batch } = use;
  const g = node.outputGradients[0]!;
  if (input === 2) return summed(use, scaled(g, node.attributeFloat('beta', 1), graph), graph);
  if (input !== 1) return undefined;
  const rows = asRows(node.inputs[0]!, batch, graph);
  const right = asRows(scaled(g, node.attributeFloat('alpha', 1), graph), batch, graph);
  return node.attributeInt('transB', 0) === 0
    ? { kind: 'factors', left: rows, right }
    : { kind: 'factors', left: right, right: rows };
};

/** The places of the window as rows: W [groups · out, in, …kernel] multiplies what it sees. */
const conv: ContributionRule = ({ node, input, batch }, graph) => {
  const [x, w] = node.inputs as [string, string];
  const g = node.outputGradients[0]!;
  const [, outputs, ...steps] = sizes(g, graph) as [number, number, ...number[]];
  const places = steps.reduce((all, size) => all * size, 1);
  const spread = graph.reshape(g, [batch, outputs, places]);
  if (input === 2) return { kind: 'direct', value: graph.reduceSum(spread, [2], false) };
  const [, inputs] = sizes(w, graph) as [number, number];
  const group = node.attributeInt('group', 1);
  const kernel = kernelOf(node, graph, w);
  const window = windowOf(node, graph, kernel, spatialSizes(graph, x, kernel.length));
  const padded = padZeros(graph, x, [0, 0, ...window.begins], [0, 0, ...window.ends]);
  const taps = tapSlices(graph, padded, 2, window, steps).map((seen) =>
    graph.reshape(seen, [batch * group, inputs, places]),
  );
  // [batch · groups, taps · in, places]
  const columns = graph.concat(taps, 1);
  const made = graph.reshape(spread, [batch * group, outputs / group, places]);
  const rows = (value: string): string => graph.emit('Transpose', [value], { perm: [0, 2, 1] });
  if (group === 1) return { kind: 'factors', left: rows(columns), right: rows(made) };
  const each = graph.emit('MatMul', [columns, rows(made)]);
  return { kind: 'direct', value: graph.reshape(each, [batch, -1]) };
};

/** An embedding. */
const gather: ContributionRule = ({ node, input, batch }, graph) => {
  if (input !== 0 || node.attributeInt('axis', 0) !== 0 || graph.rankOf(node.inputs[0]!) !== 2) {
    return undefined;
  }
  const [size] = sizes(node.inputs[0]!, graph) as [number];
  const given = graph.emit('Cast', [node.inputs[1]!], { to: elementTypeNumber('int64') });
  // Counted from the end, a row has a second index, and must be seen as the same row.
  const isFromEnd = graph.emit('Less', [given, graph.scalar(0, given)]);
  const fromStart = graph.emit('Add', [given, graph.scalar(size, given)]);
  const places = graph.emit('Where', [isFromEnd, fromStart, given]);
  const indices = graph.reshape(places, [batch, -1]);
  return { kind: 'rows', indices, size, right: asRows(node.outputGradients[0]!, batch, graph) };
};

const sum: ContributionRule = (use, graph) => summed(use, use.node.outputGradients[0]!, graph);

const difference: ContributionRule = (use, graph) =>
  summed(use, scaled(use.node.outputGradients[0]!, use.input === 1 ? -1 : 1, graph), graph);

const times: ContributionRule = (use, graph) => {
  const { node, input } = use;
  return summed(use, graph.emit('Mul', [node.outputGradients[0]!, node.inputs[1 - input]!]), graph);
};

/** Scale and shift of x̂, which the node gives again with a scale of ones. */
const layerNormalization: ContributionRule = (use, graph) => {
  const { node, input } = use;
  const g = node.outputGradients[0]!;
  if (input === 2) return summed(use, g, graph);
  if (input !== 1) return undefined;
  const scale = node.inputs[1]!;
  const ones = graph.emit('Add', [graph.zeros(scale), graph.scalar(1, scale)]);
  const normalised = graph.emit('LayerNormalization', [node.inputs[0]!, ones], {
    axis: node.attributeInt('axis', -1),
    epsilon: float(node.attributeFloat('epsilon', 1e-5)),
  });
  return summed(use, graph.emit('Mul', [g, normalised]), graph);
};

/** The gradient of a parameter that was broadcast: a sum over everything but the example. */
function summed(
  { node, input, batch }: Use,
  g: string,
  graph: GradientGraph,
): Contribution | undefined {
  const own = sizes(node.inputs[input]!, graph);
  const shape = sizes(g, graph);
  const leading = shape.length - own.length;
  // An axis of the parameter that meets the batch's has size 1.
  if (leading === 0 && own[0] !== 1) return undefined;
  if (shape[0] === batch && shape.length === 2 && own.at(-1) === shape[1]) {
    return { kind: 'direct', value: g };
  }
  const rows = graph.reshape(g, [batch, shape[0]! / batch, ...shape.slice(1)]);
  const axes = shape.flatMap((size, axis) =>
    axis === 0 || axis < leading || (own[axis - leading] === 1 && size !== 1) ? [axis + 1] : [],
  );
  const value = graph.reduceSum(rows, [...new Set([1, ...axes])], false);
  return { kind: 'direct', value: graph.reshape(value, [batch, -1]) };
}

const RULES: Readonly<Record<string, ContributionRule>> = {
  MatMul: matmul,
  Gemm: gemm,
  Conv: conv,
  Gather: gather,
  Add: sum,
  Sum: sum,
  Sub: difference,
  Mul: times,
  LayerNormalization: layerNormalization,
};
