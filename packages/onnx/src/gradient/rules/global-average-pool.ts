/**
 * The mean over all spatial axes (Lin, Chen and Yan, 2014) hands every cell the same share of its
 * gradient.
 */
import { elementTypeNumber } from '../../element-type.ts';
import { elementCount } from '../../tensor.ts';
import type { GradientGraph, GradientRule } from '../rule.ts';
import { spatialSizes } from '../shared/window.ts';

export const GlobalAveragePool: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  return [graph.expandLike(graph.emit('Div', [dy, cellCount(graph, x, dy)]), x)];
};

/** How many cells of `whole` each value of `part` stands for. */
function cellCount(graph: GradientGraph, whole: string, part: string): string {
  const sizes = spatialSizes(graph, whole, graph.rankOf(whole) - 2);
  if (sizes.every((size) => size !== undefined)) return graph.scalar(elementCount(sizes), part);
  const ratio = graph.emit('Div', [graph.emit('Size', [whole]), graph.emit('Size', [part])]);
  return graph.emit('Cast', [ratio], { to: elementTypeNumber(graph.typeOf(part)) });
}
