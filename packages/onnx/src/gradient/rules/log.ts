/** d ln x = dx/x (Abramowitz and Stegun 4.1.46). */
import type { GradientRule } from '../rule.ts';

export const Log: GradientRule = (node, graph) => [
  graph.emit('Div', [node.outputGradients[0]!, node.inputs[0]!]),
];
