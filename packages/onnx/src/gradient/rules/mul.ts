/** d(a·b) = b·da + a·db (Abramowitz and Stegun 3.3.3). */
import type { GradientRule } from '../rule.ts';
import { operand } from '../shared/operand.ts';

export const Mul: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => graph.emit('Mul', [g, node.inputs[1]!])),
  operand(node, graph, 1, (g) => graph.emit('Mul', [g, node.inputs[0]!])),
];
