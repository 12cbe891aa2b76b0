/** d(a − b) = da − db (Abramowitz and Stegun 3.3.2). */
import type { GradientRule } from '../rule.ts';
import { negated, operand } from '../shared/operand.ts';

export const Sub: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => g),
  // Negated after the sum, which is the smaller tensor.
  negated(
    graph,
    operand(node, graph, 1, (g) => g),
  ),
];
