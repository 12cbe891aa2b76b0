/** d Σx² = Σ 2x·dx (Abramowitz and Stegun 3.3.6). */
import type { GradientRule } from '../rule.ts';
import { reduced } from '../shared/reduction.ts';

export const ReduceSumSquare: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  const twice = graph.emit('Mul', [g, graph.scalar(2, g)]);
  return [graph.emit('Mul', [node.inputs[0]!, twice])];
};
