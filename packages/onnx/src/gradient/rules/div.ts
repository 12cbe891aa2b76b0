/** d(a/b) = da/b − (a/b)·db/b (Abramowitz and Stegun 3.3.4). */
import type { GradientRule } from '../rule.ts';
import { negated, operand } from '../shared/operand.ts';

export const Div: GradientRule = (node, graph) => {
  const b = node.inputs[1]!;
  const overB = (g: string) => graph.emit('Div', [g, b]);
  return [
    operand(node, graph, 0, overB),
    negated(
      graph,
      operand(node, graph, 1, (g) => graph.emit('Mul', [overB(g), node.outputs[0]!])),
    ),
  ];
};
