/** d ln(1 + eˣ) = σ(x)·dx (Dugas et al., 2001). */
import type { GradientRule } from '../rule.ts';

export const Softplus: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Sigmoid', [node.inputs[0]!])]),
];
