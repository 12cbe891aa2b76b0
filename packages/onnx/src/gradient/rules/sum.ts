/** d Σxᵢ = Σdxᵢ (Abramowitz and Stegun 3.3.2). */
import type { GradientRule } from '../rule.ts';
import { operand } from '../shared/operand.ts';

export const Sum: GradientRule = (node, graph) =>
  node.inputs.map((_, i) => operand(node, graph, i, (g) => g));
