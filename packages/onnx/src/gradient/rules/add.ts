/** d(a + b) = da + db (Abramowitz and Stegun 3.3.2). */
import type { GradientRule } from '../rule.ts';
import { operand } from '../shared/operand.ts';

export const Add: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => g),
  operand(node, graph, 1, (g) => g),
];
