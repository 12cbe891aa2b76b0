/** d sinh x = cosh x·dx (Abramowitz and Stegun 4.5.71). */
import type { GradientRule } from '../rule.ts';

export const Sinh: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Cosh', [node.inputs[0]!])]),
];
