/** The gradient without the axes that came: the transpose of rearranging is rearranging back. */
import type { GradientRule } from '../rule.ts';

export const Unsqueeze: GradientRule = (node, graph) => [
  graph.reshapeLike(node.outputGradients[0]!, node.inputs[0]!),
];
