/** Pooling over all spatial axes. */
import { elementCount } from '../../tensor.ts';
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientRule } from '../rule.ts';
import { spatialSizes } from './window.ts';

/** The mean hands every cell the same share of its gradient. */
export const GlobalAveragePool: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  return [graph.expandLike(graph.emit('Div', [dy, cellCount(graph, x, dy)]), x)];
};

/** The maximum hands its gradient to the cell that it came from; cells that tie share it. */
export const GlobalMaxPool: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  const taken = graph.emit('Equal', [x, node.outputs[0]!]);
  const mask = graph.emit('Cast', [taken], { to: elementTypeNumber(graph.typeOf(x)) });
  const axes = Array.from({ length: graph.rankOf(x) - 2 }, (_, i) => i + 2);
  const ties = graph.reduceSum(mask, axes, true);
  return [graph.emit('Mul', [mask, graph.emit('Div', [dy, ties])])];
};

/** How many cells of `whole` each value of `part` stands for. */
function cellCount(graph: GradientGraph, whole: string, part: string): string {
  const sizes = spatialSizes(graph, whole, graph.rankOf(whole) - 2);
  if (sizes.every((size) => size !== undefined)) return graph.scalar(elementCount(sizes), part);
  const ratio = graph.emit('Div', [graph.emit('Size', [whole]), graph.emit('Size', [part])]);
  return graph.emit('Cast', [ratio], { to: elementTypeNumber(graph.typeOf(part)) });
}
