/** Every copy’s gradient counts: the transpose of repeating is their sum. */
import type { GradientRule } from '../rule.ts';

export const Expand: GradientRule = (node, graph) => [
  graph.unbroadcast(node.outputGradients[0]!, node.inputs[0]!),
];
