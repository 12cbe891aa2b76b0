/** σ′ = σ·(1 − σ) (Rumelhart, Hinton and Williams, 1986). */
import type { GradientRule } from '../rule.ts';

export const Sigmoid: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const slope = graph.emit('Mul', [y, graph.emit('Sub', [graph.scalar(1, y), y])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};
