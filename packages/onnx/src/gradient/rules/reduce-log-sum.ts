/** d ln Σx = Σdx/Σx = Σdx·e^(−y): the chain rule through the logarithm. */
import type { GradientRule } from '../rule.ts';
import { reduced } from '../shared/reduction.ts';

export const ReduceLogSum: GradientRule = (node, graph) => {
  const { g, y } = reduced(node, graph);
  return [graph.expandLike(graph.emit('Div', [g, graph.emit('Exp', [y])]), node.inputs[0]!)];
};
