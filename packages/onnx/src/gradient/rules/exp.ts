/** d eˣ = eˣ·dx (Abramowitz and Stegun 4.2.49). */
import type { GradientRule } from '../rule.ts';

export const Exp: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, node.outputs[0]!]),
];
