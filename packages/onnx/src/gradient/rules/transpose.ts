/** The gradient in the inverse order: the transpose of a permutation is its inverse. */
import type { GradientRule } from '../rule.ts';

export const Transpose: GradientRule = (node, graph) => {
  const rank = graph.rankOf(node.inputs[0]!);
  const perm = node.attributeInts(
    'perm',
    Array.from({ length: rank }, (_, axis) => rank - 1 - axis),
  );
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return [graph.emit('Transpose', [node.outputGradients[0]!], { perm: inverse })];
};
