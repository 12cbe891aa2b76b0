/**
 * The axes along which Softmax and its relatives add up: one since opset 13; before, that axis and
 * all after it.
 */
import type { GradientGraph, GradientNode } from '../rule.ts';

export function softmaxAxes(node: GradientNode, graph: GradientGraph): readonly number[] {
  if (graph.opset >= 13) return [node.attributeInt('axis', -1)];
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = node.attributeInt('axis', 1);
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, i) => first + i);
}
