/** d tanh x = (1 − tanh²x)·dx (Abramowitz and Stegun 4.5.73). */
import type { GradientRule } from '../rule.ts';
import { oneMinus, square } from '../shared/pointwise.ts';

export const Tanh: GradientRule = (node, graph) => {
  const slope = oneMinus(graph, square(graph, node.outputs[0]!));
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};
