/** 1 where x > α, else 0 (Konda, Memisevic and Krueger, 2015). */
import type { GradientRule } from '../rule.ts';
import { choose } from '../shared/pointwise.ts';

export const ThresholdedRelu: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const above = graph.emit('Greater', [x, graph.scalar(node.attributeFloat('alpha', 1), x)]);
  return [choose(graph, above, node.outputGradients[0]!, graph.scalar(0, x))];
};
