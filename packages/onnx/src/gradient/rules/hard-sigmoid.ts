/** α where 0 < y < 1, else 0 (Courbariaux, Bengio and David, 2015). */
import type { GradientRule } from '../rule.ts';
import { choose, positive, scaled } from '../shared/pointwise.ts';

export const HardSigmoid: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const g = scaled(graph, node.outputGradients[0]!, node.attributeFloat('alpha', 0.2));
  const inside = graph.emit('And', [
    positive(graph, y),
    graph.emit('Less', [y, graph.scalar(1, y)]),
  ]);
  return [choose(graph, inside, g, graph.scalar(0, y))];
};
