/** The gradient with the axes that went: the transpose of rearranging is rearranging back. */
import type { GradientRule } from '../rule.ts';

export const Squeeze: GradientRule = (node, graph) => [
  graph.reshapeLike(node.outputGradients[0]!, node.inputs[0]!),
];
