/** d cosh x = sinh x·dx (Abramowitz and Stegun 4.5.72). */
import type { GradientRule } from '../rule.ts';

export const Cosh: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Sinh', [node.inputs[0]!])]),
];
