/** d(Σxᵢ/n) = Σdxᵢ/n (Abramowitz and Stegun 3.3.1, 3.3.2). */
import type { GradientRule } from '../rule.ts';
import { operand } from '../shared/operand.ts';

export const Mean: GradientRule = (node, graph) => {
  const share = (g: string) =>
    graph.emit('Mul', [g, graph.scalar(1 / node.inputs.length, node.outputs[0]!)]);
  return node.inputs.map((_, i) => operand(node, graph, i, share));
};
