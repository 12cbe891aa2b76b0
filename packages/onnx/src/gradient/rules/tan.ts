/** d tan x = (1 + tan²x)·dx (Abramowitz and Stegun 4.3.107). */
import type { GradientRule } from '../rule.ts';
import { plusOne, square } from '../shared/pointwise.ts';

export const Tan: GradientRule = (node, graph) => {
  const slope = plusOne(graph, square(graph, node.outputs[0]!));
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};
