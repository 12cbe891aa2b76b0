/** 1 where x > 0, else α·eˣ = y + α (Clevert et al., 2016). */
import type { GradientRule } from '../rule.ts';
import { choose, positive } from '../shared/pointwise.ts';

export const Elu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const y = node.outputs[0]!;
  const alpha = node.attributeFloat('alpha', 1);
  const below = graph.emit('Mul', [g, graph.emit('Add', [y, graph.scalar(alpha, y)])]);
  return [choose(graph, positive(graph, node.inputs[0]!), g, below)];
};
