/** d arsinh x = dx/√(x² + 1) (Abramowitz and Stegun 4.6.37). */
import type { GradientRule } from '../rule.ts';
import { plusOne, square } from '../shared/pointwise.ts';

export const Asinh: GradientRule = (node, graph) => {
  const root = graph.emit('Sqrt', [plusOne(graph, square(graph, node.inputs[0]!))]);
  return [graph.emit('Div', [node.outputGradients[0]!, root])];
};
