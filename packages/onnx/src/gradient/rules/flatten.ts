/** The gradient in the shape of x: the transpose of rearranging is rearranging back. */
import type { GradientRule } from '../rule.ts';

export const Flatten: GradientRule = (node, graph) => [
  graph.reshapeLike(node.outputGradients[0]!, node.inputs[0]!),
];
