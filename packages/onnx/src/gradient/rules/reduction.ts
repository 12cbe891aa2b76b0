/**
 * Reductions. The gradient of a sum goes to every element that was summed; what else a reduction
 * does is a factor per element.
 */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';

/** d Σx = Σdx. */
export const ReduceSum: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  return [graph.expandLike(g, node.inputs[0]!)];
};

/** d (Σx/n) = Σdx/n. */
export const ReduceMean: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  const x = node.inputs[0]!;
  return [graph.expandLike(graph.emit('Div', [g, elementsPerOutput(node, graph)]), x)];
};

/** The gradient goes to the largest element, in equal parts where several are, as in PyTorch's amax. */
export const ReduceMax: GradientRule = extremum;

/** The gradient goes to the smallest element, in equal parts where several are, as in PyTorch's amin. */
export const ReduceMin: GradientRule = extremum;

function extremum(node: GradientNode, graph: GradientGraph): readonly string[] {
  const x = node.inputs[0]!;
  const { g, y, axes } = reduced(node, graph);
  const beside = node.opType === 'ReduceMax' ? 'Less' : 'Greater';
  const mask = graph.emit('Cast', [graph.emit('Not', [graph.emit(beside, [x, y])])], {
    to: elementTypeNumber(graph.typeOf(x)),
  });
  const winners = sumAlong(graph, mask, axes);
  return [graph.emit('Mul', [mask, graph.emit('Div', [g, winners])])];
}

/** d ln Σeˣ = Σ e^(x − y)·dx, the softmax. */
export const ReduceLogSumExp: GradientRule = (node, graph) => {
  const { g, y } = reduced(node, graph);
  const share = graph.emit('Exp', [graph.emit('Sub', [node.inputs[0]!, y])]);
  return [graph.emit('Mul', [share, g])];
};

/** d ln Σx = Σdx/Σx = Σdx·e^(−y). */
export const ReduceLogSum: GradientRule = (node, graph) => {
  const { g, y } = reduced(node, graph);
  return [graph.expandLike(graph.emit('Div', [g, graph.emit('Exp', [y])]), node.inputs[0]!)];
};

/** d √Σx² = Σ x/y·dx; 0 where y is 0, as in PyTorch. */
export const ReduceL2: GradientRule = (node, graph) => {
  const { g, y } = reduced(node, graph);
  const x = node.inputs[0]!;
  const zero = graph.scalar(0, y);
  const factor = graph.emit('Where', [
    graph.emit('Greater', [y, zero]),
    graph.emit('Div', [g, y]),
    zero,
  ]);
  return [graph.emit('Mul', [x, factor])];
};

/** d Σ|x| = Σ sign(x)·dx. */
export const ReduceL1: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  return [graph.emit('Mul', [graph.emit('Sign', [node.inputs[0]!]), g])];
};

/** d Σx² = Σ 2x·dx. */
export const ReduceSumSquare: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  const twice = graph.emit('Mul', [g, graph.scalar(2, g)]);
  return [graph.emit('Mul', [node.inputs[0]!, twice])];
};

interface Reduced {
  /** Gradient and value of the output, with the reduced axes at size 1. */
  readonly g: string;
  readonly y: string;
  /** Axes; or the name of the list that only exists when the graph runs. */
  readonly axes: readonly number[] | string;
}

function reduced(node: GradientNode, graph: GradientGraph): Reduced {
  const [g, y] = [node.outputGradients[0]!, node.outputs[0]!];
  const axes = axesOf(node, graph);
  if (node.attributeInt('keepdims', 1) !== 0) return { g, y, axes };
  const widened = (name: string) =>
    typeof axes === 'string' ? graph.emit('Unsqueeze', [name, axes]) : graph.unsqueeze(name, axes);
  return { g: widened(g), y: widened(y), axes };
}

function axesOf(node: GradientNode, graph: GradientGraph): readonly number[] | string {
  const rank = graph.rankOf(node.inputs[0]!);
  const asInput = graph.opset >= (node.opType === 'ReduceSum' ? 13 : 18);
  const list = node.inputs[1] ?? '';
  let axes: readonly number[] | undefined = [];
  if (!asInput) axes = node.attributeInts('axes', []);
  else if (list !== '') axes = graph.intsOf(list);
  if (axes === undefined) return list;
  if (axes.length > 0) return axes.map((axis) => (axis < 0 ? axis + rank : axis));
  const none = node.attributeInt('noop_with_empty_axes', 0) !== 0;
  return none ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

function sumAlong(graph: GradientGraph, x: string, axes: readonly number[] | string): string {
  return typeof axes === 'string'
    ? graph.emit('ReduceSum', [x, axes], { keepdims: 1, noop_with_empty_axes: 1 })
    : graph.reduceSum(x, axes, true);
}

/** How many elements a mean is over, in the type of x. */
function elementsPerOutput(node: GradientNode, graph: GradientGraph): string {
  const x = node.inputs[0]!;
  const axes = axesOf(node, graph);
  const shape = graph.shapeOf(x)!;
  if (typeof axes !== 'string') {
    const sizes = axes.map((axis) => shape[axis]!);
    if (sizes.every((size) => typeof size === 'number')) {
      return graph.scalar(
        sizes.reduce((count, size) => count * size, 1),
        x,
      );
    }
  }
  const count = graph.emit('Div', [
    graph.emit('Size', [x]),
    graph.emit('Size', [node.outputs[0]!]),
  ]);
  return graph.emit('Cast', [count], { to: elementTypeNumber(graph.typeOf(x)) });
}
