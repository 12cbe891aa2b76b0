/** d arccos x = −dx/√(1 − x²) (Abramowitz and Stegun 4.4.53). */
import type { GradientRule } from '../rule.ts';
import { oneMinus, square } from '../shared/pointwise.ts';

export const Acos: GradientRule = (node, graph) => {
  const root = graph.emit('Sqrt', [oneMinus(graph, square(graph, node.inputs[0]!))]);
  return [graph.emit('Neg', [graph.emit('Div', [node.outputGradients[0]!, root])])];
};
