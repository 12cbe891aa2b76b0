/** d artanh x = dx/(1 − x²) (Abramowitz and Stegun 4.6.39). */
import type { GradientRule } from '../rule.ts';
import { oneMinus, square } from '../shared/pointwise.ts';

export const Atanh: GradientRule = (node, graph) => [
  graph.emit('Div', [node.outputGradients[0]!, oneMinus(graph, square(graph, node.inputs[0]!))]),
];
