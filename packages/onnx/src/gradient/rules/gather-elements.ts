/**
 * Y[i, j] = X[indices[i, j], j] for axis 0, and so on. The transpose of reading is adding to where
 * it was read; elements that were read twice receive both.
 */
import type { GradientGraph, GradientRule } from '../rule.ts';
import { ADDING_SCATTER, fixedSizes, oneHot } from '../shared/one-hot.ts';
import { padZeros } from '../shared/slicing.ts';

export const GatherElements: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const given = node.attributeInt('axis', 0);
  const axis = given < 0 ? given + graph.rankOf(x) : given;
  if (graph.opset < ADDING_SCATTER) return [summed(graph, x, indices, dy, axis)];
  const zeros = graph.zeros(x);
  return [graph.emit('ScatterElements', [zeros, indices, dy], { axis, reduction: 'add' })];
};

/** The sum over what was read, [..., places, ...], with zeros where only X goes on. */
function summed(
  graph: GradientGraph,
  x: string,
  indices: string,
  dy: string,
  axis: number,
): string {
  const [sizes, read] = [fixedSizes(graph, x), fixedSizes(graph, indices)];
  const hot = oneHot(graph, indices, sizes[axis]!, axis, x); // [..., places, read, ...]
  const each = graph.emit('Mul', [hot, graph.unsqueeze(dy, [axis])]);
  const sums = graph.reduceSum(each, [axis + 1], false);
  const behind = sizes.map((size, i) => (i === axis ? 0 : size - read[i]!));
  return padZeros(
    graph,
    sums,
    behind.map(() => 0),
    behind,
  );
}
