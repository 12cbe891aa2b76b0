/** d x/(1 + |x|) = dx/(1 + |x|)² = (1 − |y|)²·dx (Bergstra et al., 2009). */
import type { GradientRule } from '../rule.ts';

export const Softsign: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const rest = graph.emit('Sub', [graph.scalar(1, y), graph.emit('Abs', [y])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Mul', [rest, rest])])];
};
