/** d arcosh x = dx/√(x² − 1) (Abramowitz and Stegun 4.6.38). */
import type { GradientRule } from '../rule.ts';
import { square } from '../shared/pointwise.ts';

export const Acosh: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const root = graph.emit('Sqrt', [graph.emit('Sub', [square(graph, x), graph.scalar(1, x)])]);
  return [graph.emit('Div', [node.outputGradients[0]!, root])];
};
