/** d arctan x = dx/(1 + x²) (Abramowitz and Stegun 4.4.54). */
import type { GradientRule } from '../rule.ts';
import { plusOne, square } from '../shared/pointwise.ts';

export const Atan: GradientRule = (node, graph) => [
  graph.emit('Div', [node.outputGradients[0]!, plusOne(graph, square(graph, node.inputs[0]!))]),
];
