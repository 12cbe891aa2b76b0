/** 1 where x > 0, else α (Maas, Hannun and Ng, 2013). */
import type { GradientRule } from '../rule.ts';
import { choose, positive, scaled } from '../shared/pointwise.ts';

export const LeakyRelu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const alpha = node.attributeFloat('alpha', 0.01);
  return [choose(graph, positive(graph, node.inputs[0]!), g, scaled(graph, g, alpha))];
};
