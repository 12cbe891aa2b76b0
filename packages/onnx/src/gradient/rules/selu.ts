/** γ where x > 0, else γ·α·eˣ = y + γ·α (Klambauer et al., 2017). */
import type { GradientRule } from '../rule.ts';
import { choose, positive, scaled } from '../shared/pointwise.ts';

export const Selu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const y = node.outputs[0]!;
  const alpha = node.attributeFloat('alpha', 1.6732632423543772);
  const gamma = node.attributeFloat('gamma', 1.0507009873554805);
  const below = graph.emit('Mul', [g, graph.emit('Add', [y, graph.scalar(gamma * alpha, y)])]);
  return [choose(graph, positive(graph, node.inputs[0]!), scaled(graph, g, gamma), below)];
};
