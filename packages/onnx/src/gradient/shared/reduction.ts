/**
 * Reductions: which axes go, and the gradient as it is before they went. The gradient of a sum goes
 * to every element that was summed; what else a reduction does is a factor per element.
 */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientNode } from '../rule.ts';

export interface Reduced {
  /** Gradient and value of the output, with the reduced axes at size 1. */
  readonly g: string;
  readonly y: string;
  /** Axes; or the name of the list that only exists when the graph runs. */
  readonly axes: readonly number[] | string;
}

export function reduced(node: GradientNode, graph: GradientGraph): Reduced {
  const [g, y] = [node.outputGradients[0]!, node.outputs[0]!];
  const axes = axesOf(node, graph);
  if (node.attributeInt('keepdims', 1) !== 0) return { g, y, axes };
  const widened = (name: string) =>
    typeof axes === 'string' ? graph.emit('Unsqueeze', [name, axes]) : graph.unsqueeze(name, axes);
  return { g: widened(g), y: widened(y), axes };
}

export function axesOf(node: GradientNode, graph: GradientGraph): readonly number[] | string {
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

export function reducedExtremum(node: GradientNode, graph: GradientGraph): readonly string[] {
  const x = node.inputs[0]!;
  const { g, y, axes } = reduced(node, graph);
  const beside = node.opType === 'ReduceMax' ? 'Less' : 'Greater';
  const mask = graph.emit('Cast', [graph.emit('Not', [graph.emit(beside, [x, y])])], {
    to: elementTypeNumber(graph.typeOf(x)),
  });
  const winners = sumAlong(graph, mask, axes);
  return [graph.emit('Mul', [mask, graph.emit('Div', [g, winners])])];
}

function sumAlong(graph: GradientGraph, x: string, axes: readonly number[] | string): string {
  return typeof axes === 'string'
    ? graph.emit('ReduceSum', [x, axes], { keepdims: 1, noop_with_empty_axes: 1 })
    : graph.reduceSum(x, axes, true);
}
