/** d Σx = Σdx: every element that was summed gets the gradient of the sum. */
import type { GradientRule } from '../rule.ts';
import { reduced } from '../shared/reduction.ts';

export const ReduceSum: GradientRule = (node, graph) => {
  const { g } = reduced(node, graph);
  return [graph.expandLike(g, node.inputs[0]!)];
};
