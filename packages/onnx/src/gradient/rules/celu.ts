/** 1 where x > 0, else e^(x/α) = y/α + 1 (Barron, 2017). */
import type { GradientRule } from '../rule.ts';
import { choose, positive, scaled } from '../shared/pointwise.ts';

export const Celu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const y = node.outputs[0]!;
  const share = scaled(graph, y, 1 / node.attributeFloat('alpha', 1));
  const below = graph.emit('Mul', [g, graph.emit('Add', [share, graph.scalar(1, y)])]);
  return [choose(graph, positive(graph, node.inputs[0]!), g, below)];
};
