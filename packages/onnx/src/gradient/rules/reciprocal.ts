/** d(1/x) = −(1/x)²·dx (Abramowitz and Stegun 3.3.4). */
import type { GradientRule } from '../rule.ts';

export const Reciprocal: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const square = graph.emit('Mul', [y, y]);
  return [graph.emit('Neg', [graph.emit('Mul', [node.outputGradients[0]!, square])])];
};
