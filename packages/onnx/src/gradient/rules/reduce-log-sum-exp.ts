/** d ln Σeˣ = Σ e^(x − y)·dx, the softmax (Boyd and Vandenberghe, Convex Optimization, §3.1.5). */
import type { GradientRule } from '../rule.ts';
import { reduced } from '../shared/reduction.ts';

export const ReduceLogSumExp: GradientRule = (node, graph) => {
  const { g, y } = reduced(node, graph);
  const share = graph.emit('Exp', [graph.emit('Sub', [node.inputs[0]!, y])]);
  return [graph.emit('Mul', [share, g])];
};
