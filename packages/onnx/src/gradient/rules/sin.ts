/** d sin x = cos x·dx (Abramowitz and Stegun 4.3.105). */
import type { GradientRule } from '../rule.ts';

export const Sin: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Cos', [node.inputs[0]!])]),
];
