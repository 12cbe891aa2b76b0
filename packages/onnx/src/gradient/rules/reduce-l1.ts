/** d Σ|x| = Σ sign(x)·dx; 0 at 0, a subgradient, as in PyTorch. */
import type { GradientRule } from '../rule.ts';
import { reduced } from '../shared/reduction.ts';

export const ReduceL1: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  return [graph.emit('Mul', [graph.emit('Sign', [node.inputs[0]!]), g])];
};
